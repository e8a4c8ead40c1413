import type { AcquireRequest } from '../lease/requests.js';
import type { LockMetadata } from '../lease/metadata.js';
import type { ErrorAnswer, ExpiredLease, LeaseRecord, LockRecord, LockState } from './lock-store.js';
import type { NextInLine } from './wait-queue.js';

/** An operator frees a lock against its holder's will. */
export interface ForceReleaseRequest {
  lockName: string;
  /** Who does it. */
  actor: string;
  /** Why. */
  reason: string;
  /** The token of the lease that is meant; without it, whatever leases are live, also several in shared mode. */
  fencingToken?: number;
  /** Only those who share the lock are meant: an exclusive lease stays. */
  mode?: 'shared';
}

/** The token of an exclusive lease that is meant; undefined where any is. Where only those are meant who share a lock, one that none has. */
export const meantToken = ({ fencingToken, mode }: Pick<ForceReleaseRequest, 'fencingToken' | 'mode'>) =>
  fencingToken ?? (mode === 'shared' ? NOBODYS_TOKEN : undefined);

/** A token that no lease has. */
const NOBODYS_TOKEN = 0;

export type ForceReleaseAnswer =
  /** `holders` are the leases that were ended, the newest first: one, unless it was shared; their holders may still be running. */
  | { outcome: 'forced'; holders: readonly [LeaseRecord, ...LeaseRecord[]]; next: NextInLine | null }
  /** Nobody held it. */
  | { outcome: 'free' }
  /** Another lease holds it than was meant. */
  | { outcome: 'changed' }
  | ErrorAnswer;

/** An operator takes a lock by hand, past all who wait. */
export interface HoldRequest extends Omit<AcquireRequest, 'ticket'> {
  actor: string;
  reason: string | null;
}

export type HoldAnswer =
  { outcome: 'held'; lease: LeaseRecord; expired?: ExpiredLease } | { outcome: 'busy' } | ErrorAnswer;

/** An operator changes a live lease. */
export interface EditRequest {
  lockName: string;
  /** The token of the lease that is meant. */
  fencingToken: number;
  /** How long it lives from now, in ms: longer or shorter than before. */
  ttl?: number;
  /** Null removes them. */
  metadata?: LockMetadata | null;
  actor: string;
  reason: string | null;
}

export type EditAnswer =
  | { outcome: 'edited'; lease: LeaseRecord; next: NextInLine | null }
  /** That lease is over. */
  | { outcome: 'changed' }
  | ErrorAnswer;

export type SortField = 'lockName' | 'workerName' | 'lockTime' | 'expireTime' | 'fencingToken' | 'waiting';

/** Which locks to tell of. */
export interface LockFilter {
  /** Part of the lock's name or of the name of one who holds it, whatever the case. */
  search?: string;
  /** `contended`: somebody waits for it. */
  state?: LockState | 'contended';
  /** What the lock's name begins with, exactly. */
  prefix?: string;
}

export interface ListQuery extends LockFilter {
  sort: SortField;
  order: 'asc' | 'desc';
  /** From 1. */
  page: number;
  /** 1 to 200. */
  pageSize: number;
}

export interface LockPage {
  items: LockRecord[];
  /** How many locks match, on all pages. */
  total: number;
  serverTime: Date;
}

/** Names with something in common, up to a `:`. */
export interface LockGroup extends Record<LockState, number> {
  prefix: string;
  total: number;
  /** How many wait for one of them. */
  waiting: number;
}

export interface StateCounts extends Record<LockState, number> {
  /** Locks that somebody waits for. */
  contended: number;
  /** Those who wait. */
  waiting: number;
}

/**
 * Where operators look at locks, and act on them from outside. What somebody did is recorded with it, in one
 * transaction. Reading methods reject with `StoreUnavailableError`.
 */
export interface LockDesk {
  /**
   * Ends live leases, and those that the clock tolerance still keeps from others. The token grows, unless other leases of the lock, in
   * shared mode, go on.
   */
  forceRelease(requests: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]>;
  hold(request: HoldRequest): Promise<HoldAnswer>;
  edit(request: EditRequest): Promise<EditAnswer>;
  /** Removes locks that are free, that nobody waits for and that nobody has used for `MIN_IDLE`. Returns the names of those. */
  deleteReleased(lockNames: readonly string[], actor: string): Promise<string[]>;
  /**
   * Marks expired leases as released. Needed by nobody but the eye: an expired lock is free anyway; one that the clock tolerance keeps
   * from others stays. Returns how many.
   * @param actor the operator who does it; recorded where there is one
   */
  clearExpired(actor?: string): Promise<number>;

  /** One page of the locks that match. */
  page(query: ListQuery): Promise<Pick<LockPage, 'items' | 'serverTime'>>;
  /** How many match. */
  count(filter: LockFilter): Promise<number>;
  /** All that match, by name, so many at a time. */
  listAll(filter: LockFilter, chunk: number): AsyncIterable<LockRecord[]>;
  /** The first `limit` groups of names that match, by name. */
  groups(filter: LockFilter, limit: number): Promise<LockGroup[]>;
  countByState(): Promise<StateCounts>;
}

import type { AcquireRequest, ReleaseRequest, RenewRequest } from '../lease/requests.js';
import type { LockMetadata } from '../lease/metadata.js';
import type { Share } from '../lease/modes.js';
import type { LockDesk } from './lock-desk.js';
import type { HistoryStore } from './history-store.js';
import type { SharedLocks } from './shared-locks.js';
import type { NextInLine, QueuedWaiter, WaitQueue } from './wait-queue.js';

/*
 * Glossary
 *
 * lock      a name that at most one holder owns at a time, or several in shared mode; one permanent row, kept after release
 * lease     one grant of a lock to a worker, until it is released or expires
 * live      granted, not released, and `expireTime` lies ahead on the store's clock
 * share     what a lease in shared mode takes: permits, and the limit that it relies on; an exclusive lease has none
 * token     the fencing token: grows with every grant of a lock, in whatever mode, and never falls
 * batch     the requests of one call; each is answered by itself, at its own index
 * waiter    who waits for a busy lock, on whatever server; its ticket is its place in the lock's queue
 * desk      where operators look at locks, and act on them from outside
 * server    one LockServer: the waiters of a queue belong to one each
 */

/**
 * Milliseconds after which a lock that nobody has used may be removed. A statement that grants reads its clock before it writes, and
 * none lasts longer than this: what begins before a lock is removed could otherwise get a smaller token than its last lease had.
 */
export const MIN_IDLE = 60_000;

/** One live lease, by the store's clock. */
export interface LeaseRecord {
  lockName: string;
  workerName: string;
  grantId: string;
  fencingToken: number;
  lockTime: Date;
  expireTime: Date;
  metadata: LockMetadata | null;
  /** The store's clock when it granted or renewed the lease, or later, when it answered. */
  serverTime: Date;
  /** Milliseconds from `serverTime` to `expireTime`, rounded down; computed by the store, never below 0. */
  timeLeft: number;
  /** Tells this state of the lease from later ones: a repeat of its acquire and a renewal have another. */
  version?: string;
  /** Of a lease in shared mode. */
  share?: Share;
}

/** Who keeps a lock busy, as far as it is known. Never carries the token, which is the holder's. */
export interface HolderRecord {
  lockName: string;
  /** Of several holders, that of the newest. */
  workerName: string;
  /** `SHARED_GRANT` where leases in shared mode keep it busy. */
  grantId: string;
  /** By the store's clock; null where only the gate knows of the holder. */
  lockTime: Date | null;
  /** By the store's clock; null where only the gate knows of the holder. */
  expireTime: Date | null;
  /** Milliseconds until the lock is free unless its lease is renewed; never below 0. */
  timeLeft: number;
  /** The store's clock when it answered; absent where only the gate knows of the holder. */
  serverTime?: Date;
}

/** What became of one lock by name, held or not. */
export interface LockRecord {
  lockName: string;
  state: LockState;
  /** Null when released. */
  workerName: string | null;
  /** The token of the last grant, or a later one after a force release. */
  fencingToken: number;
  lockTime: Date;
  expireTime: Date;
  metadata: LockMetadata | null;
  serverTime: Date;
  /** How many wait for it. */
  waiting: number;
  /** What its live leases in shared mode take together; absent where it isn't held in shared mode. */
  sharing?: Sharing;
}

/** What the live leases of a lock in shared mode take together. */
export interface Sharing {
  /** How many there are. */
  holders: number;
  /** How many permits they take. */
  permits: number;
  /** The limits that they asked for: different ones, the lowest first. */
  limits: number[];
}

/** One live lease of a lock, as everybody may see it: without its key. */
export interface Holding {
  workerName: string;
  fencingToken: number;
  lockTime: Date;
  expireTime: Date;
  metadata: LockMetadata | null;
  share?: Share;
}

/** One lock with those who hold it and those who wait for it, in their order: at most `MAX_HOLDERS_SHOWN` and `MAX_QUEUE_SHOWN` of them. */
export interface InspectedLock extends LockRecord {
  holders: Holding[];
  queue: QueuedWaiter[];
}

/** The most holders that `inspect` lists for one lock: the oldest. */
export const MAX_HOLDERS_SHOWN = 100;

/** The most waiters that `inspect` lists for one lock. */
export const MAX_QUEUE_SHOWN = 100;

/** `held`: a live lease. `expired`: its holder never released it. `released`: free. */
export type LockState = 'held' | 'expired' | 'released';

/** The store failed for this request; whether it took effect is unknown. */
export interface ErrorAnswer {
  outcome: 'error';
  error: Error;
}

export type AcquireAnswer =
  /** `repeated`: this grantId held the lock already; the lease and its token are the same. */
  | {
      outcome: 'granted';
      lease: LeaseRecord;
      repeated: boolean;
      expired?: ExpiredLease;
      /** The same, of a grant in shared mode: there may be several. */
      alsoExpired?: readonly ExpiredLease[];
      /** Of a lock that is shared: who waits on another server and may have it, too, by now. */
      next?: NextInLine | null;
    }
  /**
   * `holder` has the lock. A lock that was released a moment ago and that others wait for is kept for the first of
   * them: then `holder` is that waiter, for as long as it is kept.
   */
  | { outcome: 'busy'; holder: HolderRecord }
  | ErrorAnswer;

/** A lease that a grant came after and that was never released. */
export type ExpiredLease = Pick<LeaseRecord, 'lockName' | 'workerName' | 'fencingToken'>;

export type RenewAnswer =
  | { outcome: 'renewed'; lease: LeaseRecord }
  /** `serverTime`: the store's clock when it answered, where that is told. */
  | { outcome: 'lost'; serverTime?: Date }
  | ErrorAnswer;

export type ReleaseAnswer =
  /**
   * `grantId` is that of the lease which was ended; `next` waits for the lock now. `serverTime`: the store's clock when it answered,
   * where that is told.
   */
  | { outcome: 'released'; grantId: string; next: NextInLine | null; serverTime?: Date }
  | { outcome: 'lost'; serverTime?: Date }
  | ErrorAnswer;

/** All of a set of locks, or none. */
export type AcquireSetAnswer =
  | { outcome: 'granted'; leases: LeaseRecord[]; repeated: boolean; expired: ExpiredLease[] }
  /** `holder` has one of them. */
  | { outcome: 'busy'; holder: HolderRecord }
  | ErrorAnswer;

/**
 * Where leases live. It takes many requests in one call and answers each one by itself, at the same index.
 * The store's clock decides; an application's clock never does.
 *
 * No method rejects for a fault of one request; the reading methods reject with `StoreUnavailableError`.
 */
export interface LockStore {
  /**
   * Grants each lock that is free, expired for longer than the clock tolerance, or already held by the same grantId; except that a
   * lock which was free for less than `TURN` is left to the first in its queue.
   */
  acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]>;
  /**
   * Grants all locks of the set, or none; names are unique, the grantId is one. Never waits for one while it has another. Some may be
   * wanted in shared mode, where the store has `shared`.
   */
  acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer>;
  /** Gives each live lease a new TTL, from now. */
  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]>;
  /**
   * Ends each live lease; with `minHold`, its lock stays taken until so many milliseconds after its start; with
   * `version`, only if the lease is still the one of that version.
   */
  release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]>;
  /** The lock of each name, null where there never was one. */
  inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>>;
  /** Removes rows that nobody has used for `retention` milliseconds (at least `MIN_IDLE`). Returns how many. */
  removeIdle(retention: number): Promise<number>;

  /** For how many milliseconds a lease that was not released keeps others out after its end; 0 where it isn't told. */
  readonly clockTolerance?: number;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
  /** What runs worse than it should while the store still answers; empty when all is well. */
  readonly degraded?: readonly string[];
  /**
   * Where waiters of several servers line up and are woken. Without it, those of one server wait in order, and those of
   * different servers look again from time to time.
   */
  readonly queue?: WaitQueue;
  /** Leases in shared mode. Without it, each acquire of one is refused as a mistake. */
  readonly shared?: SharedLocks;
  /** What operators see and do. */
  readonly desk: LockDesk;
  /** What has happened. */
  readonly history: HistoryStore;
  close(): Promise<void>;
}

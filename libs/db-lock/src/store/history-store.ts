import type { LockRecord } from './lock-store.js';

/**
 * What may happen to a lock.
 * - by its holder: `acquired`, `renewed` (thinned out), `downgraded` (to shared mode), `released`
 * - to who asks for it: `waited`: has begun to wait
 * - by time: `expired`: a lease was never released, and somebody else got the lock; `lost`: its holder came too late
 * - by an operator: `forced`, `created`, `edited`, `cleared` (an expired lease), `deleted` (a released lock)
 */
export const HISTORY_EVENTS = [
  'acquired',
  'renewed',
  'downgraded',
  'waited',
  'released',
  'lost',
  'expired',
  'forced',
  'created',
  'edited',
  'cleared',
  'deleted',
] as const;

export type HistoryEvent = (typeof HISTORY_EVENTS)[number];

/** Something that happened to a lock. */
export interface HistoryRecord {
  /** Its place among all that happened. */
  cursor: string;
  lockName: string;
  event: HistoryEvent;
  /** Whose lease it is or was, or who waits; null where it is not known. */
  workerName: string | null;
  /** Its first 8 characters and an ellipsis: enough to find it elsewhere, too little to use it. */
  grantId: string | null;
  fencingToken: number | null;
  /** The operator who did it. */
  actor: string | null;
  reason: string | null;
  details: Record<string, unknown> | null;
  /** By the store's clock. */
  eventTime: Date;
}

/** Something that happened without an operator, to be recorded. */
export interface HistoryEntry {
  lockName: string;
  event: HistoryEvent;
  workerName: string | null;
  grantId: string | null;
  fencingToken: number | null;
  details: Record<string, unknown> | null;
  /** How long ago it happened, in milliseconds. */
  age: number;
  /** When, by the store's clock, in milliseconds since 1970, where that is known better than by its age. */
  time: number | null;
}

export interface HistoryQuery {
  /** At most so many: 1 to 200. */
  limit: number;
  /** Only what happened before that record. */
  before?: string;
}

export const COUNTED = ['acquired', 'refused', 'waited', 'released', 'lost', 'expired', 'forced'] as const;

/** How often things happened. */
export type Counts = Record<(typeof COUNTED)[number], number>;

/** Nothing has happened. */
export const noCounts = (): Counts => Object.fromEntries(COUNTED.map((counted) => [counted, 0])) as Counts;

/** What happened in some time, counted. */
export interface Tally {
  counts: Counts;
  /** How long leases lasted: a histogram, see `Histogram`. */
  hold: readonly number[];
  /** How long grants were waited for, likewise. */
  wait: readonly number[];
  /** The names that were refused or waited for most. */
  contended: readonly ContendedName[];
}

export interface ContendedName {
  lockName: string;
  refused: number;
  waited: number;
}

/** The tallies of a range, put together. */
export interface Statistics {
  serverTime: Date;
  /** Those in which something happened, in their order. */
  points: Array<Counts & { time: Date }>;
  hold: readonly number[];
  wait: readonly number[];
  contended: readonly ContendedName[];
}

/** A lock as it is now. */
export interface ChangedLock extends LockRecord {
  /** Grows with what happens to it; 0 where nothing has since the last look. */
  lastEvent: number;
}

/** How many wait for each lock that is waited for. */
export type Waiting = ReadonlyMap<string, number>;

/** What has changed since the last look. */
export interface Changes {
  serverTime: Date;
  /** Where the next look begins. */
  cursor: string;
  /** What the next look compares with. */
  waiting: Waiting;
  /** Locks that something happened to, and those that more or fewer wait for, as they are now. */
  locks: ChangedLock[];
  /** Names of which there is no lock any more. */
  removed: string[];
  /** There are more than were asked for; the next look passes them by. */
  truncated: boolean;
}

/** What has happened to the locks of a store. All methods but the writing ones reject with `StoreUnavailableError`. */
export interface HistoryStore {
  /** The newest first. */
  of(lockName: string, query: HistoryQuery): Promise<HistoryRecord[]>;
  /** Adds what happened, in that order. */
  record(entries: readonly HistoryEntry[]): Promise<void>;
  /** Adds to the counts of the present minute. */
  count(tally: Tally): Promise<void>;
  /** What was counted in the last `range` milliseconds, in steps of `step` milliseconds. */
  statistics(range: number, step: number): Promise<Statistics>;
  /**
   * Looks for changes.
   * @param cursor where the last look ended; undefined for the first one, which only finds its place
   * @param waiting what the last look has found
   * @param limit the most locks to tell of
   */
  changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes>;
  /** The store's clock. */
  now(): Promise<Date>;
  /** Removes what is older than `retention` milliseconds or among more than `maxRows`, from the old end. Returns how much. */
  trim(retention: number, maxRows: number): Promise<number>;
}

/** What the admin's API takes and answers. Times are ISO 8601 in UTC. */

export type Access = 'view' | 'release' | 'edit';

export interface Session {
  feature: string;
  actor: string;
  access: Access;
  /** Whether the history is recorded. */
  history: boolean;
}

export type LockState = 'held' | 'expired' | 'released';
export type Metadata = Record<string, unknown>;

export type LockMode = 'exclusive' | 'shared';

/** What a lease in shared mode takes; of an exclusive one, neither is there. */
export interface Share {
  permits?: number;
  /** null: any number of permits may be held together. */
  limit?: number | null;
}

export interface Lock {
  lockName: string;
  state: LockState;
  workerName: string | null;
  fencingToken: number;
  lockTime: string;
  /** For a released lock: when it was released. */
  expireTime: string;
  serverTime: string;
  metadata: Metadata | null;
  /** How many wait for it. */
  waiting: number;
  /** null: nobody holds it. */
  mode: LockMode | null;
  /** Several in shared mode only; then the worker, its metadata and the token are of the newest. */
  holderCount: number;
  /** What its holders take together; in shared mode only. */
  permits?: number;
  /** The limits that they asked for, the lowest first; in shared mode only. */
  limits?: number[];
}

export interface Holder extends Share {
  workerName: string;
  fencingToken: number;
  lockTime: string;
  expireTime: string;
  metadata: Metadata | null;
}

export interface Waiter extends Share {
  workerName: string;
  since: string;
  mode: LockMode;
}

/** A lock with the oldest hundred who hold it and the first hundred who wait for it. */
export interface LockWithQueue extends Lock {
  holders: Holder[];
  queue: Waiter[];
}

export const STATE_FILTERS = ['held', 'contended', 'expired', 'released'] as const;
export type StateFilter = (typeof STATE_FILTERS)[number];

export const SORT_KEYS = [
  'lockName',
  'workerName',
  'lockTime',
  'expireTime',
  'waiting',
  'fencingToken',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];
export type Order = 'asc' | 'desc';

export interface LockFilter {
  search: string;
  state: StateFilter | null;
  prefix: string;
}

export interface LockQuery extends LockFilter {
  sort: SortKey;
  order: Order;
  page: number;
  pageSize: number;
}

export interface LockPage {
  items: Lock[];
  total: number;
  serverTime: string;
}

/** The names that share a beginning up to and including the next colon. */
export interface Group {
  prefix: string;
  total: number;
  held: number;
  expired: number;
  released: number;
  waiting: number;
}

export interface Groups {
  items: Group[];
  truncated: boolean;
  serverTime: string;
}

export type EventKind =
  | 'acquired'
  | 'renewed'
  | 'downgraded'
  | 'waited'
  | 'released'
  | 'lost'
  | 'expired'
  | 'forced'
  | 'created'
  | 'edited'
  | 'cleared'
  | 'deleted';

export interface LockEvent {
  id: string;
  event: EventKind;
  workerName: string | null;
  grantId: string | null;
  fencingToken: number | null;
  actor: string | null;
  reason: string | null;
  details: Record<string, unknown> | null;
  eventTime: string;
}

export interface HistoryPage {
  items: LockEvent[];
  /** The `before` of the next page. */
  next: string | null;
}

export interface CreateLock {
  lockName: string;
  ttl: string;
  workerName?: string;
  metadata?: Metadata;
  reason?: string;
}

export interface EditLock {
  /** The lease that the operator saw. */
  fencingToken: number;
  ttl?: string;
  metadata?: Metadata | null;
  reason?: string;
}

export interface LockTarget {
  lockName: string;
  /** The lease that the operator saw; without it, all. */
  fencingToken?: number;
  /** Only those who share the lock are meant. */
  mode?: 'shared';
}

export interface EndedLease {
  workerName: string;
  fencingToken: number;
  lockTime: string;
  expireTime: string;
}

export interface Ended {
  /** Of several leases the newest; null: none was ended. */
  ended: EndedLease | null;
  /** How many were ended. */
  leases: number;
}

export interface ForceRelease extends Ended {
  lockName: string;
}

export type Outcome = 'forced' | 'free' | 'changed' | 'error';

export interface ForceReleaseAnswer extends Ended {
  lockName: string;
  outcome: Outcome;
  lock: Lock | null;
}

export interface Deleted {
  deleted: string[];
  /** Held, expired, waited for or unknown. */
  kept: string[];
}

export const RANGES = ['1h', '6h', '24h', '7d'] as const;
export type Range = (typeof RANGES)[number];

export interface SeriesPoint {
  time: string;
  acquired: number;
  refused: number;
  waited: number;
  released: number;
  lost: number;
  expired: number;
  forced: number;
}

/** Milliseconds; null where `count` is 0. */
export interface Percentiles {
  count: number;
  p50: number | null;
  p90: number | null;
  p99: number | null;
}

export interface StateCounts {
  held: number;
  contended: number;
  expired: number;
  released: number;
  /** How many waiters. */
  waiting: number;
}

export interface ContendedName {
  lockName: string;
  refused: number;
  waited: number;
  waiting: number;
}

export interface Overview {
  serverTime: string;
  history: boolean;
  now: StateCounts;
  series: { step: number; points: SeriesPoint[] };
  hold: Percentiles;
  wait: Percentiles;
  contended: ContendedName[];
}

export interface Changes {
  serverTime: string;
  locks: Lock[];
  removed: string[];
}

/** Several locks as they are now; of the unknown there are none (any more). */
export interface InspectedLocks {
  locks: Lock[];
  unknown: string[];
  serverTime: string;
}

export interface Issue {
  field: string;
  rule: string;
}

/** An RFC 9457 problem document with a stable code. */
export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  issues?: Issue[];
  /** With LOCK_CHANGED: the lock as it is now. */
  lock?: Lock;
  /** With LOCK_BUSY. */
  holder?: { workerName: string; lockTime: string; expireTime: string };
}

import type { LockHolder } from '../lease/errors.js';
import type { LockMetadata } from '../lease/metadata.js';
import type { Share } from '../lease/modes.js';
import type {
  AcquireSetRequest,
  DowngradeRequest,
  RenewRequest,
  WaitingAcquireRequest,
} from '../lease/requests.js';
import type { Holding, LockState, Sharing } from '../store/lock-store.js';
import type { QueuedWaiter } from '../store/wait-queue.js';

/** What tells one lease from another: by grantId, or by worker name where the contract knows no grantId. */
export type LeaseKey = Pick<WaitingAcquireRequest, 'lockName' | 'workerName' | 'grantId' | 'share'>;

/** A lease as every lock server can confirm it. */
export interface BasicConfirmation {
  /** Milliseconds that the lease had left on the store's clock when it was confirmed: no sooner than it was asked for. */
  timeLeft: number;
}

/** A lease as our own lock server confirms it. */
export interface LeaseConfirmation extends BasicConfirmation {
  fencingToken: number;
  lockTime: Date;
  expireTime: Date;
  metadata: LockMetadata | null;
  /** Of a lease in shared mode. */
  share?: Share;
}

/** Several leases as our own lock server confirms them. */
export interface SetConfirmation extends BasicConfirmation {
  /** In the order of the names asked for. */
  leases: Array<LeaseConfirmation & { lockName: string }>;
}

export type AcquireOutcome<Confirmation extends BasicConfirmation> =
  /**
   * `sentAt`: when the request that was granted went to the store, on this process's monotonic clock; where it is
   * unknown, when the acquire began counts instead.
   */
  | { outcome: 'granted'; lease: Confirmation; sentAt?: number }
  /** Also when `wait` has run out. */
  | { outcome: 'busy'; holder: BusyHolder };

/** Who keeps a lock busy. Nothing else of it is passed on: in process, it may carry the key to its lease. */
export interface BusyHolder extends LockHolder {
  /** Which of the locks that were asked for. */
  lockName: string;
  /** Milliseconds until the lock may be free; null where nobody knows. */
  timeLeft: number | null;
}

export type RenewOutcome = { outcome: 'renewed'; lease: LeaseConfirmation } | { outcome: 'lost' };

export type DowngradeOutcome = { outcome: 'downgraded'; lease: LeaseConfirmation } | { outcome: 'lost' };

export type ReleaseOutcome = { outcome: 'released' | 'lost' };

/** What became of one lock by name, for everybody to see: without the grantId, which is the key to the lease. */
export interface LockInfo {
  lockName: string;
  /** `held`: a live lease. `expired`: its holder never released it. `released`: free. */
  state: LockState;
  /** Null when released. */
  workerName: string | null;
  fencingToken: number;
  lockTime: Date;
  /** When the lease ends or ended. */
  expireTime: Date;
  metadata: LockMetadata | null;
  /** The store's clock when it answered. */
  serverTime: Date;
  /** How many wait for it. */
  waiting: number;
  /** What its live leases in shared mode take together; absent where it isn't held in shared mode. */
  sharing?: Sharing;
  /** Who holds it: of those who share it the 100 oldest. */
  holders: Holding[];
  /** Who waits for it, in their order: the first 100. */
  queue: QueuedWaiter[];
}

/**
 * A way to a lock server that can at least grant and release. One call is one attempt: it rejects, and never throws, with
 * `StoreUnavailableError` when the outcome is unknown, and the client decides whether to try again.
 */
export interface BasicTransport<Confirmation extends BasicConfirmation = BasicConfirmation> {
  acquire(request: WaitingAcquireRequest, signal?: AbortSignal): Promise<AcquireOutcome<Confirmation>>;
  /** `minHold`: the lock stays taken for so many milliseconds from the start of the lease at least. */
  release(lease: LeaseKey, minHold?: number): Promise<ReleaseOutcome>;
  /** Whether an acquire with the same grantId may be sent again when its outcome is unknown. */
  readonly repeatable: boolean;
  /** An acquire whose signal aborts leaves no lease behind, and a waiting one rejects at once. */
  readonly cancels?: boolean;
  /** The server tells by itself, in this process, what happens to its locks. */
  readonly tells?: boolean;
  close(): Promise<void>;
}

/** A way to our own lock server. */
export interface LockTransport extends BasicTransport<LeaseConfirmation> {
  renew(request: RenewRequest): Promise<RenewOutcome>;
  /** The confirmation holds what the leases have in common: `timeLeft` is that of the one that ends first. */
  acquireSet(request: AcquireSetRequest, signal?: AbortSignal): Promise<AcquireOutcome<SetConfirmation>>;
  /** Turns an exclusive lease into a shared one. It may be repeated. */
  downgrade(request: DowngradeRequest): Promise<DowngradeOutcome>;
  inspect(lockName: string): Promise<LockInfo | null>;
}

/** Leases that were granted together are trusted together: until the first of them ends. */
export function leastTimeLeft(leases: ReadonlyArray<{ timeLeft: number }>): number {
  return Math.min(...leases.map(({ timeLeft }) => timeLeft));
}

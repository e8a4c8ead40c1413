import type { LockHolder } from '../lease/errors.js';
import type { LockMetadata } from '../lease/metadata.js';
import type { AcquireRequest, RenewRequest } from '../lease/requests.js';
import type { LockState } from '../store/lock-store.js';

/** What tells one lease from another: by grantId, or by worker name where the contract knows no grantId. */
export type LeaseKey = Pick<AcquireRequest, 'lockName' | 'workerName' | 'grantId'>;

/** A lease as every lock server can confirm it. */
export interface BasicConfirmation {
  /** Milliseconds that the lease had left on the store's clock when it answered. */
  timeLeft: number;
}

/** A lease as our own lock server confirms it. */
export interface LeaseConfirmation extends BasicConfirmation {
  fencingToken: number;
  lockTime: Date;
  expireTime: Date;
  metadata: LockMetadata | null;
}

export type AcquireOutcome<Confirmation extends BasicConfirmation> =
  | { outcome: 'granted'; lease: Confirmation }
  | { outcome: 'busy'; holder: LockHolder; retryAfter: number | null };

export type RenewOutcome = { outcome: 'renewed'; lease: LeaseConfirmation } | { outcome: 'lost' };

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
}

/**
 * A way to a lock server that can at least grant and release. One call is one attempt: it throws `StoreUnavailableError`
 * when the outcome is unknown, and the client decides whether to try again.
 */
export interface BasicTransport<Confirmation extends BasicConfirmation = BasicConfirmation> {
  acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireOutcome<Confirmation>>;
  release(lease: LeaseKey): Promise<ReleaseOutcome>;
  /** Whether an acquire with the same grantId may be sent again when its outcome is unknown. */
  readonly repeatable: boolean;
  close(): Promise<void>;
}

/** A way to our own lock server. */
export interface LockTransport extends BasicTransport<LeaseConfirmation> {
  renew(request: RenewRequest): Promise<RenewOutcome>;
  inspect(lockName: string): Promise<LockInfo | null>;
}

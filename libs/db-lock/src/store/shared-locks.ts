import type { DowngradeRequest, ReleaseByGrant, RenewRequest, SharedRequest } from '../lease/requests.js';
import type { AcquireAnswer, ErrorAnswer, LeaseRecord, ReleaseAnswer, RenewAnswer } from './lock-store.js';
import type { NextInLine } from './wait-queue.js';

/**
 * `lease` is the shared one; `repeated`: it was downgraded before. `next` waits for the lock, and may have it now.
 */
export type DowngradeAnswer =
  | { outcome: 'downgraded'; lease: LeaseRecord; repeated: boolean; next: NextInLine | null }
  | { outcome: 'lost'; serverTime?: Date }
  | ErrorAnswer;

/**
 * Leases in shared mode. A lock's row stays the only guard: while one of them is live, or keeps others out for the clock tolerance, it has
 * the grantId `SHARED_GRANT`, the latest of their ends and the worker's name of the newest, so that an exclusive acquire finds it busy as it
 * does any other. The leases themselves are rows of a table of holders: they count only while the lock's row has that grantId, and the first
 * grant after that takes away what older ones have left there.
 *
 * Each change of a lock's holders also writes its row, or is made while that is locked.
 *
 * A batch may have many requests of one lock, which are decided together, in order. No method rejects for a fault of one request.
 */
export interface SharedLocks {
  /**
   * Grants what is free of exclusive leases, and has room for the permits that are asked for, by the limit of each request. While a lock
   * is shared, and for `TURN` after it came free, who waits in its queue comes before who came later.
   */
  acquire(requests: readonly SharedRequest[]): Promise<AcquireAnswer[]>;
  /** Gives each live lease a new TTL, from now. */
  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]>;
  /** Ends each live lease; with `minHold`, its permits stay taken until so many milliseconds after its start. */
  release(requests: readonly ReleaseByGrant[]): Promise<ReleaseAnswer[]>;
  /** Turns live exclusive leases into shared ones with the same grantId and end and a new token. Names are unique in one batch. */
  downgrade(requests: readonly DowngradeRequest[]): Promise<DowngradeAnswer[]>;
}

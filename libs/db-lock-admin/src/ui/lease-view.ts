import type { Holder, Lock, LockTarget } from '../api/contract';

/** A lock; or one of the leases that share it, in its place. */
export interface LeaseView extends Lock {
  /** Of one that shares the lock: the token of its lease. */
  lease?: number;
}

/** One of those who share a lock, as what an action or a countdown is about. */
export function leaseOf(lock: Lock, { permits, limit = null, ...holder }: Holder): LeaseView {
  return { ...lock, ...holder, permits, limits: limit === null ? [] : [limit], lease: holder.fencingToken };
}

/** Whether it is about all who share a lock. */
export const isOfSharers = ({ mode, lease }: LeaseView): boolean => mode === 'shared' && lease === undefined;

/** What a force release of it is to end: the lease that the operator saw, or all that share the lock. */
export function targetOf(view: LeaseView): LockTarget {
  const { lockName, fencingToken } = view;
  return isOfSharers(view) ? { lockName, mode: 'shared' } : { lockName, fencingToken };
}

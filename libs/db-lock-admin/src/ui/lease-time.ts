import type { Lock, LockState } from '../api/contract';
import type { LeaseView } from './lease-view';

export const timeOf = (iso: string) => Date.parse(iso);

/** The state at this moment: a lease that was held when it was read may have run out since. */
export function stateAt(lock: Lock, now: number): LockState {
  return lock.state === 'held' && timeOf(lock.expireTime) <= now ? 'expired' : lock.state;
}

/** How many ends are remembered, at most: more than a page shows. */
const MOST_ENDS = 1000;

/** When this page first saw the present end of a lease, by the database's time. */
const ends = new Map<string, { expireTime: string; seenAt: number }>();

/**
 * Milliseconds that the lease has left, and which share that is of what it had when this page first saw its present end: how
 * long a lease was renewed for is stored nowhere, and each renewal fills it again.
 */
export function remainingAt(lock: LeaseView, now: number): { left: number; share: number } {
  const end = timeOf(lock.expireTime);
  const left = Math.max(0, end - now);
  const whole = end - Math.max(timeOf(lock.lockTime), firstSeen(lock));
  return { left, share: whole > 0 ? Math.min(1, left / whole) : 0 };
}

function firstSeen({ lockName, lease, expireTime, serverTime }: LeaseView): number {
  const key = `${lease ?? ''} ${lockName}`;
  const known = ends.get(key);
  if (known?.expireTime === expireTime) return known.seenAt;
  const seenAt = timeOf(serverTime);
  ends.delete(key);
  ends.set(key, { expireTime, seenAt });
  if (ends.size > MOST_ENDS) ends.delete(ends.keys().next().value!);
  return seenAt;
}

import type { Lock, LockState } from '../api/contract';

export const timeOf = (iso: string) => Date.parse(iso);

/** The state at this moment: a lease that was held when it was read may have run out since. */
export function stateAt(lock: Lock, now: number): LockState {
  return lock.state === 'held' && timeOf(lock.expireTime) <= now ? 'expired' : lock.state;
}

/** Milliseconds that the lease has left, and which share of it that is. */
export function remainingAt(lock: Lock, now: number): { left: number; share: number } {
  const end = timeOf(lock.expireTime);
  const left = Math.max(0, end - now);
  const whole = end - timeOf(lock.lockTime);
  return { left, share: whole > 0 ? Math.min(1, left / whole) : 0 };
}

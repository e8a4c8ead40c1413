import type { LockRecord } from './lock-store.js';
import type { Waiting } from './history-store.js';

/** How many wait for each lock, after a look has found some locks changed, and some gone. */
export function broughtUpToDate(
  waiting: Waiting,
  locks: readonly LockRecord[],
  removed: readonly string[],
): Waiting {
  const present = new Map(waiting);
  for (const name of removed) present.delete(name);
  for (const { lockName, waiting } of locks) {
    if (waiting > 0) present.set(lockName, waiting);
    else present.delete(lockName);
  }
  return present;
}

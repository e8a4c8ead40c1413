import type { Waiting } from './history-store.js';
import type { LockRecord } from './lock-store.js';

/** Something that happened to a lock: the id of its record. */
export interface Happened {
  id: number;
  lockName: string;
}

/**
 * The names of locks that something happened to, and of those that more or fewer wait for than before, each with the id of the last that
 * happened to it, 0 where nothing did.
 */
export function concerned(happened: readonly Happened[], before: Waiting, now: Waiting): Map<string, number> {
  const last = new Map(happened.map(({ id, lockName }) => [lockName, id]));
  for (const lockName of new Set([...before.keys(), ...now.keys()]))
    if (before.get(lockName) !== now.get(lockName) && !last.has(lockName)) last.set(lockName, 0);
  return last;
}

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

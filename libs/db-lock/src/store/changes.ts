import type { Waiting } from './history-store.js';

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

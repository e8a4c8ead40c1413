import type { ChangedLock, Changes, Waiting } from './history-store.js';
import type { LockRecord } from './lock-store.js';

/** What a look for changes finds in a store. */
export interface Present {
  serverTime: Date;
  /** Where the next look begins. */
  cursor: string;
  waiting: ReadonlyMap<string, number>;
}

/** No changes: where they are told from, when none are. */
export const noChanges = (present: Present, truncated = false): Changes => ({
  ...present,
  locks: [],
  removed: [],
  truncated,
});

/**
 * What has changed since the last look.
 * @param waiting what the last look has found
 * @param happened the locks to which something happened since, each with the last that did
 * @param limit the most locks to tell of
 * @param lookAt tells of a lock as it is now
 */
export function changesSince(
  waiting: Waiting,
  present: Present,
  happened: ReadonlyMap<string, number>,
  limit: number,
  lookAt: (lockName: string) => LockRecord | undefined,
): Changes {
  const last = new Map(happened);
  for (const lockName of new Set([...present.waiting.keys(), ...waiting.keys()]))
    if (present.waiting.get(lockName) !== waiting.get(lockName) && !last.has(lockName)) last.set(lockName, 0);
  if (last.size > limit) return noChanges(present, true);
  const locks: ChangedLock[] = [];
  const removed: string[] = [];
  for (const [lockName, lastEvent] of last) {
    const lock = lookAt(lockName);
    if (lock) locks.push({ ...lock, lastEvent });
    else removed.push(lockName);
  }
  const { serverTime, cursor } = present;
  return {
    serverTime,
    cursor,
    waiting: broughtUpToDate(waiting, locks, removed),
    locks,
    removed,
    truncated: false,
  };
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

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LockClient } from '../client/lock-client.js';
import type { LockServer } from '../server/lock-server.js';
import type { LockStore } from '../store/lock-store.js';

/** What a case gets: the subject of the moment, and names that no other case uses. */
export interface CaseContext {
  /** The first worker's client. */
  readonly client: LockClient;
  /** Another worker's client. */
  readonly other: LockClient;
  readonly store: LockStore;
  readonly server: LockServer;
  /** Closes the subject and opens it again, over the same data. */
  restart(): Promise<void>;
}

/** The TTL of a lease that is to run out, in milliseconds: who asks for it must have the answer before, also where the machine is slow. */
export const BRIEF = 2_000;

/** A lock name that no other case uses. */
export const uniqueName = (label: string): string => `${label}:${randomUUID()}`;

export { sleep };

/** Waits until something is so; rejects after `limit` milliseconds. */
export async function eventually(isSo: () => boolean | Promise<boolean>, limit = 10_000): Promise<void> {
  const end = performance.now() + limit;
  while (!(await isSo())) {
    if (performance.now() > end)
      throw new Error(`It did not come about within ${limit} ms: ${isSo.toString()}`);
    await sleep(5);
  }
}

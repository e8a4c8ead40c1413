import { expect } from '@jest/globals';
import { violationsOf } from './history-checker.js';
import type { Load } from './load.js';
import { LONGEST_TTL } from './worker.js';

/** How long a storm blows; `npm run test:faults` lets it blow longer. */
export const SECONDS = Number(process.env.DB_LOCK_FAULT_SECONDS ?? 10);

/** The most milliseconds that a storm may take: a slow machine needs long to recover. */
export const PATIENCE = SECONDS * 1_000 + 240_000;

/** Locks that are granted before the next fault. */
export const GRANTS = 60;

/** In milliseconds: longer than any lease. */
export const PAUSE = 1.3 * LONGEST_TTL;

export type Fault = () => Promise<void>;

/** How a storm blows. */
export interface Storm {
  /** They come one after the other, again and again. */
  faults: readonly Fault[];
  /** However slow the machine. */
  fewestFaults: number;
  /** What happens before each of them as well. */
  before?: Fault;
  /** What happens when it is over, before what happened is looked at. */
  after?: Fault;
}

/** Stops this process, and with it all clients, for longer than any lease. */
export async function pauseClients(): Promise<void> {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

/** Lets faults befall a load, and expects that it keeps the safety contract, and that the faults have been felt. */
export async function blow({ faults, fewestFaults, before, after }: Storm, load: Load): Promise<void> {
  const end = performance.now() + SECONDS * 1_000;
  for (let count = 0; count < fewestFaults || performance.now() < end; count++) {
    await load.grants(GRANTS / 2);
    await before?.();
    await load.grants(GRANTS / 2);
    await load.keep();
    await faults[count % faults.length]!();
    await load.look();
  }
  await load.grants(GRANTS);
  await after?.();
  const history = await load.finish();

  expect(violationsOf(history)).toEqual([]);
  const { grants, downgrades, renewals, releases, busies, trustedUses } = history;
  const shared = grants.filter(({ share }) => share);
  expect(load.recorder.unknown).toBeGreaterThan(0);
  expect(new Set(grants.map(({ grantId }) => grantId)).size).toBeLessThan(grants.length);
  expect(load.poisoned).not.toHaveProperty('granted');
  expect(load.poisoned.STORE_UNAVAILABLE).toBeGreaterThan(0);
  for (const events of [shared, downgrades, renewals, releases, busies, trustedUses])
    expect(events.length).toBeGreaterThan(0);
}

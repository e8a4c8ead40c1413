import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';
import { violationsOf } from './history-checker.js';
import { Load } from './load.js';
import { LONGEST_TTL } from './worker.js';

/** How long the storm blows; `npm run test:faults` lets it blow longer. */
const SECONDS = Number(process.env.DB_LOCK_FAULT_SECONDS ?? 10);

/** Two crashes and a pause at least, however slow the machine. */
const FEWEST_FAULTS = 3;

/** Locks that are granted before the next fault. */
const GRANTS = 60;

const PAUSE = 1.3 * LONGEST_TTL;

let server: PostgresServer;
let load: Load;

beforeAll(async () => {
  // What was not committed durably then stays in memory, where a crash finds it.
  server = await startPostgres({ settings: { wal_writer_delay: '10s' } });
  load = await Load.start(server);
}, 60_000);

afterAll(async () => {
  await load.close();
  await server.stop();
}, 60_000);

async function crash(): Promise<void> {
  await server.kill();
  await server.restart();
}

async function crashAfterGrant(): Promise<void> {
  await load.grants(1);
  await crash();
}

async function restart(): Promise<void> {
  await server.restart();
}

async function pauseDatabase(): Promise<void> {
  await server.pause();
  await sleep(PAUSE);
  await server.resume();
}

async function pauseClients(): Promise<void> {
  const end = performance.now() + PAUSE;
  while (performance.now() < end);
}

async function partition(): Promise<void> {
  await load.partition(PAUSE);
}

const FAULTS = [crash, pauseDatabase, crashAfterGrant, partition, pauseClients, restart];

it(
  'keeps the safety contract while the database crashes and stands still under load',
  async () => {
    const end = performance.now() + SECONDS * 1_000;
    for (let count = 0; count < FEWEST_FAULTS || performance.now() < end; count++) {
      await load.grants(GRANTS / 2);
      await load.cut();
      await load.grants(GRANTS / 2);
      await FAULTS[count % FAULTS.length]!();
      await load.look();
    }
    await load.grants(GRANTS);
    const history = await load.finish();

    expect(violationsOf(history)).toEqual([]);
    const { grants, renewals, releases, trustedWrites } = history;
    expect(load.recorder.unknown).toBeGreaterThan(0);
    expect(new Set(grants.map(({ grantId }) => grantId)).size).toBeLessThan(grants.length);
    for (const events of [renewals, releases, trustedWrites]) expect(events.length).toBeGreaterThan(0);
  },
  SECONDS * 1_000 + 240_000,
);

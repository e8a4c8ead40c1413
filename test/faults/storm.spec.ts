import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';
import { violationsOf } from './history-checker.js';
import { LOCK_NAMES, Load } from './load.js';
import { LONGEST_TTL } from './worker.js';

/** How long the storm blows; `npm run test:faults` lets it blow longer. */
const SECONDS = Number(process.env.DB_LOCK_FAULT_SECONDS ?? 10);

/** Of the database and of Redis, however slow the machine. */
const FEWEST_FAULTS = 6;

/** Locks that are granted before the next fault. */
const GRANTS = 60;

const PAUSE = 1.3 * LONGEST_TTL;

let server: PostgresServer;
let redis: RedisServer;
let load: Load;

beforeAll(async () => {
  // What was not committed durably then stays in memory, where a crash finds it.
  server = await startPostgres({ settings: { wal_writer_delay: '10s' } });
  redis = await startRedis();
  load = await Load.start(server, redis.url);
});

afterAll(async () => {
  await load.close();
  await redis.stop();
  await server.stop();
});

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
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}

async function partition(): Promise<void> {
  await load.partition(PAUSE);
}

/** Kills what serves the locks' connections, in the midst of whatever they do. */
async function killBackends(): Promise<void> {
  await load.askDatabase(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%db-lock' AND random() < 0.5`,
  );
}

/** Statements that want one of these locks wait until they are given up; those that don't must not. */
async function lockRows(): Promise<void> {
  await load.askDatabase(
    `BEGIN; SELECT FROM dblock_lock WHERE lock_name IN ('fault:0', 'fault:1') FOR UPDATE; SELECT pg_sleep(1.5); COMMIT`,
  );
}

async function crashRedis(): Promise<void> {
  await redis.kill();
  await load.grants(GRANTS);
  await redis.restart();
}

async function pauseRedis(): Promise<void> {
  await redis.pause();
  await load.grants(GRANTS);
  redis.resume(); // and now it does all that it was asked for meanwhile
}

/** What every key says is a lie: of another type, unreadable, or a lease that nobody has. */
async function poisonRedis(): Promise<void> {
  const client = new Redis(redis.url);
  for (let count = 0; count < 20; count++) {
    for (const lockName of LOCK_NAMES) {
      const key = `db-lock:dblock:${lockName}`;
      const [, value] = /^(.*)$/s.exec((await client.get(key).catch(() => null)) ?? '') ?? [];
      const lie = client.multi().del(key);
      if (count % 3 === 0) lie.lpush(key, 'hostile');
      else if (count % 3 === 1) lie.set(key, 'hostile');
      else lie.set(key, value || 'hostile', 'PX', 60_000);
      await lie.exec();
    }
    await sleep(10);
  }
  client.disconnect();
}

async function flushRedis(): Promise<void> {
  await redis.flush();
}

const FAULTS = [
  crash,
  killBackends,
  lockRows,
  poisonRedis,
  pauseDatabase,
  crashRedis,
  crashAfterGrant,
  flushRedis,
  partition,
  pauseRedis,
  pauseClients,
  restart,
];

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
    expect(load.poisoned).not.toHaveProperty('granted');
    expect(load.poisoned.STORE_UNAVAILABLE).toBeGreaterThan(0);
    for (const events of [renewals, releases, trustedWrites]) expect(events.length).toBeGreaterThan(0);
  },
  SECONDS * 1_000 + 240_000,
);

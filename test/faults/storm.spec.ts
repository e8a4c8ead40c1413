import { afterAll, beforeAll, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';
import { BlockingSession } from '../support/blocking-session.js';
import { CuttingProxy } from './cutting-proxy.js';
import { CROWDED, LOCK_NAMES, Load } from './load.js';
import { postgresLoad } from './postgres-load.js';
import { GRANTS, PATIENCE, PAUSE, blow, pauseClients } from './storm.js';

let server: PostgresServer;
let redis: RedisServer;
let proxy: CuttingProxy;
let load: Load;

beforeAll(async () => {
  // What was not committed durably then stays in memory, where a crash finds it.
  server = await startPostgres({ settings: { wal_writer_delay: '10s' } });
  redis = await startRedis();
  proxy = await CuttingProxy.open(server.url);
  load = await Load.start(postgresLoad(server.url, proxy.url, redis.url));
});

afterAll(async () => {
  await load.close();
  await proxy.close();
  await redis.stop();
  await server.stop();
});

/** Cuts a connection whose acquire the database has just carried out. */
async function cut(): Promise<void> {
  await proxy.cutAnswerTo('db_lock_acquire');
}

/** A session beside the load's own, for a fault. */
async function askDatabase(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

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

/** Holds up what one of the applications and the database say to each other; all of it arrives later. */
async function partition(): Promise<void> {
  proxy.hold();
  await sleep(PAUSE);
  proxy.letThrough();
}

/** Kills what serves the locks' connections, in the midst of whatever they do. */
async function killBackends(): Promise<void> {
  await askDatabase(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%db-lock' AND random() < 0.5`,
  );
}

/** Statements that want one of these locks wait until they are given up; those that don't must not. */
async function lockRows(): Promise<void> {
  await load.crowd();
  const session = await BlockingSession.open(server.url);
  await session.query(
    `BEGIN; SELECT FROM dblock_lock WHERE lock_name IN ('fault:0', 'fault:1', '${CROWDED[0]}') FOR UPDATE`,
  );
  const crowd = load.crowd();
  await sleep(PAUSE);
  await session.letGo();
  await session.close();
  await crowd;
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
    await blow({ faults: FAULTS, fewestFaults: 6, before: cut }, load);
  },
  PATIENCE,
);

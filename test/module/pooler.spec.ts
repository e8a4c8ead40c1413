import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, type DbLockModuleOptions } from 'nestjs-db-lock';
import pg from 'pg';
import { createLockApplication } from '../support/lock-application.js';
import { describeWithPgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.js';
import { until } from '../support/patience.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** What a session shows of our having used it. */
const TRACES = `
SELECT current_setting('plan_cache_mode') AS plans, current_setting('synchronous_commit') AS commits,
  (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
  (SELECT count(*)::int FROM pg_listening_channels()) AS channels`;

const UNTOUCHED = { plans: 'auto', commits: 'on', prepared: 0, channels: 0 };

async function look<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** How many connections of locks listen. */
const LISTENERS = `
SELECT count(*)::int AS listeners FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'LISTEN db_lock%'`;

describeWithPgBouncer('a database', () => {
  let database: TestDatabase;
  const poolers: Partial<Record<'transaction' | 'session', PgBouncer>> = {};

  beforeAll(async () => {
    database = await createTestDatabase();
    for (const mode of ['transaction', 'session'] as const)
      poolers[mode] = await startPgBouncer(database.url, mode);
  });

  afterAll(async () => {
    for (const pooler of Object.values(poolers)) await pooler.stop();
    await database.drop();
  });

  const open = (url: string, options: DbLockModuleOptions = {}) =>
    createLockApplication({
      database: { type: 'postgres', url, poolSize: 2, retryAttempts: 1 },
      features: [options],
    });

  /** Takes, renews and waits for locks, at once and often, so that every session of the pooler serves us. */
  const use = async (app: INestApplication) => {
    const locks = app.get(LockClient);
    const cycle = async (index: number) => {
      const lease = await locks.acquire(`pooled:${index % 10}`, { wait: '30s', ttl: '20s' });
      await lease.renew();
      await lease.release();
    };
    await Promise.all(Array.from({ length: 40 }, (_, index) => cycle(index)));
  };

  it.each([
    ['directly', () => database.url, {}, true],
    ['behind PgBouncer in transaction mode', () => poolers.transaction!.url, {}, false],
    ['behind a pooler that it is told of', () => database.url, { pooler: 'transaction' }, false],
    [
      'behind a pooler in session mode that it is told of',
      () => poolers.session!.url,
      { pooler: 'none' },
      true,
    ],
  ] as const)('that is reached %s has its sessions used accordingly', async (_way, url, options, own) => {
    const application = await open(url(), options);
    await use(application);
    await until('it listens, or does not', 10_000, async () => {
      const [seen] = await look<{ listeners: number }>(database.url, LISTENERS);
      return seen!.listeners === (own ? 1 : 0);
    });
    await application.close();
  });

  it('behind PgBouncer in transaction mode keeps no trace of ours in its sessions', async () => {
    const application = await open(poolers.transaction!.url);
    await use(application);
    for (let looks = 0; looks < 10; looks++)
      expect(await look(poolers.transaction!.url, TRACES)).toEqual([UNTOUCHED]);
    await application.close();
  });

  it('behind PgBouncer in session mode, unless it is told, too', async () => {
    const application = await open(poolers.session!.url);
    await use(application);
    expect((await look(database.url, LISTENERS))[0]).toEqual({ listeners: 0 });
    await application.close();
  });

  it('whose pooler is no known one is a start-up error', async () => {
    await expect(open(database.url, { pooler: 'pgbouncer' as 'none' })).rejects.toThrow(
      "pooler: must be 'transaction' or 'none'.",
    );
  });
});

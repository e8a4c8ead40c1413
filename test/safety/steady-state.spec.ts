import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient } from 'nestjs-db-lock';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';

const NAMES = Array.from({ length: 2_000 }, (_, index) => `churn:${index}`);

const ROUNDS = 16;

/** So many go in one statement. */
const GROUP = 100;

/** The long form, over 100,000 names, is the benchmark's churn. */
describe('locks that are taken and released again and again', () => {
  let server: PostgresServer;
  let app: INestApplication;
  let locks: LockClient;
  let session: BlockingSession;

  beforeAll(async () => {
    // Nobody but the locks' own updates tidies up.
    server = await startPostgres({ settings: { fsync: 'off', autovacuum: 'off' } });
    app = await createLockApplication({
      database: { type: 'postgres', url: server.url },
      features: [{ history: false }], // a long snapshot of it would keep old versions of the rows
    });
    locks = app.get(LockClient);
    session = await BlockingSession.open(server.url);
  });

  afterAll(async () => {
    await session.close();
    await server.stop();
  });

  /** One statement at a time: PostgreSQL tidies up no page that another session is just looking at. */
  const churn = async () => {
    for (let at = 0; at < NAMES.length; at += GROUP) {
      const leases = await Promise.all(NAMES.slice(at, at + GROUP).map((name) => locks.acquire(name)));
      await Promise.all(leases.map((lease) => lease.renew('1m')));
      await Promise.all(leases.map((lease) => lease.release()));
    }
  };

  const sizes = async () => {
    const [row] = await session.query<{ table: number; index: number }>(
      `SELECT pg_relation_size('dblock_lock')::int AS table, pg_relation_size('dblock_lock_pkey')::int AS index`,
    );
    return row!;
  };

  /** The part of all updates that stayed on their page. They are counted at the latest when their session ends. */
  const hotPart = async () => {
    await app.close();
    let part: number | null = null;
    await until('all updates are counted', 30_000, async () => {
      const [row] = await session.query<{ updates: number; part: number }>(
        `SELECT n_tup_upd::int AS updates, n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) AS part
        FROM pg_stat_user_tables WHERE relname = 'dblock_lock'`,
      );
      part = row!.part;
      return row!.updates >= (3 * ROUNDS - 1) * NAMES.length;
    });
    return part;
  };

  it('stay where they are: the table and its index do not grow', async () => {
    await churn();
    const before = await sizes();
    for (let round = 1; round < ROUNDS; round++) await churn();
    const after = await sizes();
    expect(after.index).toBe(before.index);
    expect(after.table).toBeLessThanOrEqual(1.05 * before.table);
    expect(await hotPart()).toBeGreaterThan(0.99);
  });
});

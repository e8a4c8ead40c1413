import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, LockServer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';
import { areStopped, signal } from '../support/process-table.js';

const TTL = 600_000;

/** A server of its own, on which nobody else writes, whose users do without durable commits unless told otherwise. */
describe('what a lock costs in the write-ahead log', () => {
  let server: PostgresServer;
  let app: INestApplication;
  let locks: LockServer;
  let session: BlockingSession;
  let writer: number;

  beforeAll(async () => {
    server = await startPostgres({
      settings: {
        autovacuum: 'off',
        synchronous_commit: 'off',
        wal_writer_delay: '10s',
        // Else the background writer logs now and then which transactions run.
        wal_level: 'minimal',
        max_wal_senders: '0',
      },
    });
    app = await createLockApplication({
      database: { type: 'postgres', url: server.url },
      features: [{ history: false }], // it is written beside the locks, some time later
    });
    locks = app.get(LockServer);
    session = await BlockingSession.open(server.url);
    const [row] = await session.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'`,
    );
    writer = row!.pid;
    // Whatever reaches the disk from now on was brought there by the one who committed it.
    signal([writer], 'SIGSTOP');
    await until('the WAL writer stands still', 10_000, () => areStopped([writer]));
  });

  afterAll(async () => {
    signal([writer], 'SIGCONT');
    await session.close();
    await app.close();
    await server.stop();
  });

  /** How far the log was written, and how far it has reached the disk; in bytes. */
  const log = async () => {
    const [row] = await session.query<{ written: string; flushed: string }>(
      `SELECT pg_current_wal_insert_lsn() - '0/0' AS written, pg_current_wal_flush_lsn() - '0/0' AS flushed`,
    );
    return { written: Number(row!.written), flushed: Number(row!.flushed) };
  };

  const request = (lockName: string) => ({ lockName, workerName: 'ann', grantId: randomUUID(), ttl: TTL });

  /** Takes a lock, whose page of the table has been written since the last checkpoint then. */
  const take = async (lockName: string) => {
    const asked = request(lockName);
    await locks.acquire(asked);
    return asked;
  };

  it('a grant and a renewal are on the disk before they are answered', async () => {
    const { lockName, grantId } = await take('durable');
    const granted = await log();
    expect(granted.flushed).toBe(granted.written);
    await locks.renew({ lockName, grantId, ttl: 2 * TTL });
    const renewed = await log();
    expect(renewed.written).toBeGreaterThan(granted.written);
    expect(renewed.flushed).toBe(renewed.written);
  });

  it('a lock that is passed on is on the disk before its new holder has it', async () => {
    const { lockName, grantId } = await take('passed');
    const waiting = locks.acquire({ ...request('passed'), wait: 60_000 });
    await until('somebody waits', 10_000, async () => (await locks.inspect('passed'))!.waiting === 1);
    const before = await log();
    await locks.release({ lockName, grantId });
    expect((await waiting).outcome).toBe('granted');
    expect((await log()).flushed).toBeGreaterThan(before.written);
  });

  it('a release does not wait for the disk', async () => {
    const { lockName, grantId } = await take('released');
    const before = await log();
    await locks.release({ lockName, grantId });
    const after = await log();
    expect(after.written).toBeGreaterThan(before.written);
    expect(after.flushed).toBe(before.flushed);
  });

  describe("a default of the application's columns", () => {
    const lastNumber = async () => {
      const [sequence] = await session.query<{ last: string }>(
        'SELECT last_value AS last FROM dblock_lock_number_seq',
      );
      return sequence!.last;
    };

    beforeAll(() => session.query('ALTER TABLE dblock_lock ADD COLUMN number serial'));

    afterAll(() => session.query('ALTER TABLE dblock_lock DROP COLUMN number'));

    it('is not asked for by who takes a lock that was released', async () => {
      const cycles = async (count: number) => {
        for (let times = 0; times < count; times++) {
          const { lockName, grantId } = await take('numbered');
          await locks.release({ lockName, grantId });
        }
      };
      await cycles(100); // so many that the shortcut is worth trying
      const before = await lastNumber();
      await cycles(20);
      expect(await lastNumber()).toBe(before);
    });

    it('nor by who is refused, though most locks are new', async () => {
      for (let times = 0; times < 100; times++) await take(`new:${times}`);
      const before = await lastNumber();
      expect((await locks.acquire(request('new:0'))).outcome).toBe('busy');
      expect(await lastNumber()).toBe(before);
    });
  });

  it('a refusal writes nothing and locks no row', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `busy:${index}`);
    for (const name of names) await take(name);
    const marks = () =>
      session.query(
        `SELECT lock_name, xmin::text, xmax::text, ctid::text FROM dblock_lock WHERE lock_name LIKE 'busy:%' ORDER BY 1`,
      );
    await marks(); // Who reads a row for the first time may note that its writer has committed.
    const [before, marksBefore] = [await log(), await marks()];
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(names.map((name) => locks.acquire(request(name))));
      for (const { outcome } of answers) expect(outcome).toBe('busy');
      expect((await locks.acquire(request(names[round]!))).outcome).toBe('busy'); // alone, it is another statement
    }
    expect(await log()).toEqual(before);
    expect(await marks()).toEqual(marksBefore);
  });
});

describe('keeping a thousand leases alive', () => {
  it('takes a few statements a round, whenever they were taken', async () => {
    const server = await startPostgres({ settings: { fsync: 'off' } });
    const app = await createLockApplication({ database: { type: 'postgres', url: server.url } });
    const session = await BlockingSession.open(server.url);
    const client = app.get(LockClient);
    try {
      for (let lease = 0; lease < 1_000; lease += 10)
        await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            client.acquire(`kept:${lease + index}`, { ttl: '9s', keepAlive: true }),
          ),
        );
      const renewed = `SELECT count(*)::int AS leases, count(DISTINCT xmin::text)::int AS statements
        FROM dblock_lock WHERE expire_time - lock_time > interval '9.5s'`;
      const seen: { leases: number; statements: number } = { leases: 0, statements: 0 };
      await until('all leases are renewed', 25_000, async () => {
        Object.assign(seen, (await session.query(renewed))[0]);
        return seen.leases === 1_000;
      });
      expect(seen.statements).toBeLessThanOrEqual(20);
    } finally {
      await session.close();
      await app.close();
      await server.stop();
    }
  });
});

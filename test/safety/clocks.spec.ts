import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, LockServer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { BlockingSession } from '../support/blocking-session.js';
import { fakeOnly } from '../support/fake-clock.js';
import { createLockApplication } from '../support/lock-application.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { COMPANY } from '../stores/company.js';
import { lease } from '../stores/requests.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const HOUR = 3_600_000;

describe('clocks', () => {
  let database: TestDatabase;
  let session: BlockingSession;
  let app: INestApplication;
  let locks: LockClient;

  beforeAll(async () => {
    database = await createTestDatabase();
    session = await BlockingSession.open(database.url);
    const [{ name }] = (await session.query<{ name: string }>('SELECT current_database() AS name')) as [
      { name: string },
    ];
    // Lord Howe Island moves its clock by half an hour in summer.
    await session.query(`ALTER DATABASE ${name} SET timezone = 'Australia/Lord_Howe'`);
    app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
    locks = app.get(LockClient);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  afterAll(async () => {
    await session.close();
    await app.close();
    await database.drop();
  });

  /** Sets this process's wall clock off; timers and the monotonic clock stay as they are. */
  const setClockOff = (milliseconds: number) => fakeOnly(['Date'], { now: Date.now() + milliseconds });

  it.each([HOUR, -HOUR])(
    "an application's clock that is %i ms off changes nothing (case 17)",
    async (off) => {
      const name = `off:${off}`;
      const real = Date.now();
      setClockOff(off);
      const lease = await locks.acquire(name, { ttl: '20s' });
      expect(Math.abs(Date.now() - real - off)).toBeLessThan(60_000);
      expect(Math.abs(lease.lockTime.getTime() - real)).toBeLessThan(60_000);
      expect(lease.timeLeft).toBeGreaterThan(10_000);
      expect(lease.timeLeft).toBeLessThanOrEqual(20_000);
      await lease.renew('40s');
      expect(lease.timeLeft).toBeGreaterThan(30_000);

      setClockOff(-off);
      expect(await locks.tryAcquire(name)).toBeNull();
      expect(lease.signal.aborted).toBe(false);
      await lease.release();

      await app
        .get(LockServer)
        .acquire({ lockName: name, workerName: 'ann', grantId: randomUUID(), ttl: 50 });
      await sleep(100);
      await (await locks.acquire(name)).release();
    },
  );

  it("the session's time zone and daylight saving change nothing (case 18)", async () => {
    const [zone] = await session.query<{ utc: Date; local: string }>(
      `SELECT clock_timestamp() AS utc, current_setting('timezone') AS local`,
    );
    const held = await locks.acquire('zone', { ttl: '30d' });
    expect(Math.abs(held.lockTime.getTime() - zone!.utc.getTime())).toBeLessThan(60_000);
    expect(held.expireTime.getTime() - held.lockTime.getTime()).toBe(30 * 24 * HOUR);
    expect(Math.abs(held.timeLeft - 30 * 24 * HOUR * 0.99)).toBeLessThan(60_000);
    expect(held.signal.aborted).toBe(false);
    await held.release();
  });
});

describe('a day of 23 hours in the time zone of sessions', () => {
  it('shortens no lease of a day, however its lock was taken', async () => {
    const database = await createTestDatabase();
    const session = await BlockingSession.open(database.url);
    const day = (interval: string) =>
      `(date_part('doy', timezone('UTC', now()) + interval '${interval}') - 1) || to_char(timezone('UTC', now()), '/HH24:MI:SS')`;
    const [zone] = await session.query<{ database: string; rule: string }>(
      `SELECT current_database() AS database, 'AAA0BBB,' || ${day('1 day')} || ',' || ${day('60 days')} AS rule`,
    );
    await session.query(`SET timezone = '${zone!.rule}'`);
    const [seen] = await session.query<{ hours: number }>(
      `SELECT (date_part('epoch', now() + interval '2 days') - date_part('epoch', now())) / 3600 AS hours`,
    );
    expect(seen!.hours).toBeCloseTo(47, 5);

    await session.query(`ALTER DATABASE ${zone!.database} SET timezone = '${zone!.rule}'`);
    const app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
    const store = app.get<LockStore>(LOCK_STORE);
    for (const { company: way, within } of COMPANY) {
      const asked = within(store);
      await asked.release([await lease(asked, `${way}, released`)]);
      await lease(asked, `${way}, expired`, { ttl: 1_000 });
      await session.awaitExpiry(`${way}, expired`);
      const last = (was: string) => lease(asked, `${way}, ${was}`, { ttl: 48 * HOUR });
      await last('new');
      // So many that the shortcut to released locks is worth trying.
      for (let times = 0; times < 100; times++) await asked.release([await lease(asked, way)]);
      await last('released');
      await last('expired');
    }
    const lasting = await session.query<{ lock_name: string; hours: number }>(
      `SELECT lock_name, (date_part('epoch', expire_time) - date_part('epoch', lock_time)) / 3600 AS hours
        FROM dblock_lock WHERE lock_name LIKE '%,%' ORDER BY lock_name`,
    );
    expect(lasting).toHaveLength(6);
    for (const { hours } of lasting) expect(hours).toBeCloseTo(48, 5);
    await session.close();
    await app.close();
    await database.drop();
  });
});

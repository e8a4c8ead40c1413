import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LeaseLostError, LockClient, LockServer, type Lease } from 'nestjs-db-lock';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('a lease whose store hangs', () => {
  let database: TestDatabase;
  let session: BlockingSession;
  let logger: MemoryLogger;
  let app: INestApplication;
  let locks: LockClient;

  beforeEach(async () => {
    database = await createTestDatabase();
    session = await BlockingSession.open(database.url);
    logger = new MemoryLogger();
    app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{ statementTimeout: '1s', retries: 0 }],
      logger,
    });
    locks = app.get(LockClient);
  });

  afterEach(async () => {
    await session.close();
    await app.close();
    await database.drop();
  });

  const lost = (lease: Lease) =>
    new Promise<number>((resolve) =>
      lease.signal.addEventListener('abort', () => resolve(performance.now())),
    );

  it.each([true, false])(
    'is lost at its deadline, once, though the database never answers (case 36; keep-alive: %s)',
    async (keepAlive) => {
      const sent = performance.now();
      const lease = await locks.acquire('hangs', { ttl: 2000, keepAlive });
      let signals = 0;
      lease.signal.addEventListener('abort', () => signals++);
      const losing = lost(lease);
      await session.lockTable();
      const lostAt = await losing;
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
      expect((lease.signal.reason as LeaseLostError).reason).toBe('deadline');
      expect(lease.timeLeft).toBe(0);
      expect(lostAt - sent).toBeGreaterThan(1900);
      await sleep(400);
      await session.letGo();
      await expect(lease.renew()).rejects.toThrow(LeaseLostError);
      await sleep(300);
      expect(signals).toBe(1);
      expect(logger.warnings.filter((warning) => warning.includes('"hangs" is lost'))).toHaveLength(1);
    },
  );

  it('an answer that comes after the deadline is no lease (contract 2)', async () => {
    // Who is blocked here waits for as long as the test likes, also where the machine is slow.
    const patient = await createLockApplication({
      database: { type: 'postgres', url: database.url, driver: tamperedPostgres(PATIENT) },
      features: [{ statementTimeout: '60s', retries: 0 }],
      logger,
    });
    await (await locks.acquire('slow')).release();
    await session.lockTable();
    const acquiring = patient.get(LockClient).acquire('slow', { ttl: 100 });
    await session.awaitWaiter();
    await sleep(200);
    await session.letGo();
    await expect(acquiring).rejects.toMatchObject({ code: 'LEASE_LOST', reason: 'deadline' });
    await patient.close();
    const successor = await locks
      .acquire('slow', { ttl: '5s' })
      .catch(() => sleep(150).then(() => locks.acquire('slow')));
    await successor.release();
  });

  it('a repeat of a lease is trusted for no longer than the lease has left', async () => {
    const grantId = 'b2bbf2a1-5d3a-4b5e-9d43-2c5d3b0f9d0e';
    await locks.acquire('repeated', { ttl: 2000, grantId });
    await sleep(300);
    const again = await locks.acquire('repeated', { ttl: 2000, grantId });
    expect(again.timeLeft).toBeLessThanOrEqual(1700);
    await again.release();
  });

  it('never hears of a loss after a release', async () => {
    const lease = await locks.acquire('released', { ttl: 2000, keepAlive: true });
    const { signal } = lease;
    await lease.release();
    await sleep(2200);
    expect(signal.aborted).toBe(false);
    expect(lease.signal.aborted).toBe(false);
  });

  it('is not renewed after its release (contract 7)', async () => {
    const lease = await locks.acquire('ended', { ttl: 2000, keepAlive: true });
    await sleep(1000);
    await lease.release();
    const successor = await locks.acquire('ended', { ttl: '60s' });
    const before = await locks.inspect('ended');
    await sleep(1000);
    expect((await locks.inspect('ended'))?.expireTime).toEqual(before?.expireTime);
    await successor.release();
  });

  it('is kept through passing errors (contract 7)', async () => {
    await locks.withLock('survivor', { ttl: '6s' }, async (lease) => {
      for (let cuts = 0; cuts < 3; cuts++) {
        await session.lockTable();
        await session.awaitWaiter(); // a renewal, which is then cut off
        await session.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name LIKE '% db-lock'`,
        );
        await session.letGo();
        const before = lease.expireTime.getTime();
        while (lease.expireTime.getTime() === before && !lease.signal.aborted) await sleep(10);
      }
      expect(lease.signal.aborted).toBe(false);
      expect(lease.timeLeft).toBeGreaterThan(0);
    });
    expect((await locks.inspect('survivor'))?.state).toBe('released');
  });

  it('does not replace the result of the work when its release fails (contract 9)', async () => {
    const result = await locks.withLock('unreleased', { ttl: '5s' }, async () => {
      await session.lockTable();
      return 42;
    });
    expect(result).toBe(42);
    await session.letGo();
    await session.lockTable().then(() => session.letGo());
    const failing = locks.withLock('unreleased-2', { ttl: '5s' }, async () => {
      await session.lockTable();
      throw new RangeError('work');
    });
    await expect(failing).rejects.toThrow(RangeError);
    await session.letGo();
    expect(logger.warnings.filter((warning) => /could not be released/.test(warning))).toHaveLength(2);
  });

  it('is noticed by the clock when timers are late, as after a pause of the process', async () => {
    const lease = await locks.acquire('paused', { ttl: 2000 });
    await sleep(1400);
    const end = performance.now() + 700;
    while (performance.now() < end); // nothing else runs meanwhile: no timer can fire
    expect(lease.timeLeft).toBe(0);
    expect(lease.signal.aborted).toBe(true);
    await expect(lease.renew()).rejects.toThrow(LeaseLostError);
  });

  it('lives longer than a timer can count', async () => {
    const lease = await locks.acquire('month', { ttl: '30d', keepAlive: true });
    await sleep(50);
    expect(lease.signal.aborted).toBe(false);
    expect((await app.get(LockServer).inspect('month'))?.expireTime).toEqual(lease.expireTime);
    await lease.release();
  });
});

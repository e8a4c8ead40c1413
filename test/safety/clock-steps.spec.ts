import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger, type INestApplication } from '@nestjs/common';
import {
  getLockClientToken,
  getLockEventsToken,
  getLockServerToken,
  LeaseLostError,
  LockBusyError,
  type Lease,
  type LockClient,
  type LockEvent,
  type LockEvents,
  type LockServer,
} from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { SteppedClock } from '../support/stepped-clock.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const TTL = MINUTE;
const TOLERANCE = 10 * SECOND;

/** In the midst of the tolerance after the end of a lease that was granted just now. */
const TOLERATED = TTL + TOLERANCE / 2;

/** After it. */
const OVER = TTL + TOLERANCE + SECOND;

describe("a step of the database's clock", () => {
  let database: TestDatabase;
  let clock: SteppedClock;
  let app: INestApplication;
  let warnings: string[];
  let lockName: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    clock = await SteppedClock.install(database.url);
  });

  beforeEach(async () => {
    lockName = randomUUID();
    await clock.setOff(0);
    warnings = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => {
      if (String(message).includes('clock')) warnings.push(String(message));
    });
    app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{}, { feature: 'tolerant', clockTolerance: TOLERANCE }],
    });
  });

  afterEach(async () => {
    await app.close();
    jest.restoreAllMocks();
  });

  afterAll(async () => {
    await clock.close();
    await database.drop();
  });

  const clientOf = (feature: string) => app.get<LockClient>(getLockClientToken(feature));
  const serverOf = (feature: string) => app.get<LockServer>(getLockServerToken(feature));

  /** Ann's lease, a moment old when the clock is set off. */
  async function leaseBefore(
    step: number,
    feature: string,
    options: { minHold?: number } = {},
  ): Promise<Lease> {
    const lease = await clientOf(feature).acquire(lockName, { ttl: TTL, keepAlive: false, ...options });
    await clock.setOff(step);
    return lease;
  }

  describe('is told once, in the log, as an event and as a detail of health', () => {
    const jumps = (heard: LockEvent[]) => heard.filter((event) => event.type === 'clockJumped');

    it.each([
      { where: 'forward', step: 2 * MINUTE },
      { where: 'back', step: -2 * MINUTE },
    ])('$where', async ({ where, step }) => {
      const heard: LockEvent[] = [];
      app.get<LockEvents>(getLockEventsToken('dblock')).events$.subscribe((event) => heard.push(event));
      await leaseBefore(step, 'dblock');
      expect(serverOf('dblock').degraded).toEqual([]);
      for (const other of ['one', 'another'])
        await clientOf('dblock').acquire(`${lockName}:${other}`, { ttl: TTL });
      const [jump, ...more] = jumps(heard);
      expect(more).toEqual([]);
      expect(jump!.jump / step).toBeGreaterThan(0.5);
      expect(serverOf('dblock').degraded).toEqual([
        expect.stringMatching(new RegExp(`^the database's clock jumped ${where} by at least \\d+ ms`)),
      ]);
      expect(warnings).toEqual([expect.stringContaining(`jumped ${where}`)]);
    });

    it.each<[string, (lease: Lease) => Promise<unknown>]>([
      ['a renewal', (lease) => lease.renew(TTL)],
      ['a release', (lease) => lease.release()],
    ])('also when it is %s that tells', async (_what, come) => {
      const heard: LockEvent[] = [];
      app.get<LockEvents>(getLockEventsToken('dblock')).events$.subscribe((event) => heard.push(event));
      await come(await leaseBefore(TTL / 2, 'dblock'));
      expect(jumps(heard)).toHaveLength(1);
    });

    it('also when it tells that a lease is lost, or that a lock is busy', async () => {
      const lease = await leaseBefore(TTL + SECOND, 'dblock');
      await expect(lease.renew()).rejects.toThrow(LeaseLostError);
      expect(warnings).toEqual([expect.stringContaining('jumped forward')]);
      const other = await clientOf('dblock').acquire(`${lockName}:other`);
      await clock.setOff(0);
      expect(await clientOf('dblock').tryAcquire(other.lockName)).toBeNull();
      expect(warnings).toEqual([expect.anything(), expect.stringContaining('jumped back')]);
    });

    it('not when it is less than the margin of the shortest lease', async () => {
      await leaseBefore(TTL / 200, 'dblock');
      await clientOf('dblock').acquire(`${lockName}:other`, { ttl: TTL });
      expect(serverOf('dblock').degraded).toEqual([]);
      expect(warnings).toEqual([]);
    });
  });

  it('forward ends a lease that its holder still trusts', async () => {
    const lease = await leaseBefore(TTL + SECOND, 'dblock');
    await clientOf('dblock').acquire(lockName);
    expect(lease.timeLeft).toBeGreaterThan(0);
  });

  it('back makes leases last longer, and no token falls', async () => {
    const lease = await leaseBefore(-2 * MINUTE, 'dblock');
    expect(await clientOf('dblock').tryAcquire(lockName)).toBeNull();
    await lease.release();
    const next = await clientOf('dblock').acquire(lockName);
    expect(next.fencingToken).toBeGreaterThan(lease.fencingToken);
    expect(next.lockTime.getTime()).toBeLessThan(lease.lockTime.getTime());
  });

  describe('within the tolerance', () => {
    it('does not let others have a lease that was not released', async () => {
      await leaseBefore(TOLERATED, 'tolerant');
      const refusal = await clientOf('tolerant')
        .acquire(lockName)
        .catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(LockBusyError);
      const { retryAfter } = refusal as LockBusyError;
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(TOLERANCE / 2);
      await clock.setOff(OVER);
      await (await clientOf('tolerant').acquire(lockName)).release();
    });

    it('nor in a set of locks', async () => {
      const names = [`${lockName}:free`, lockName];
      await leaseBefore(TOLERATED, 'tolerant');
      expect(await clientOf('tolerant').tryAcquireAll(names)).toBeNull();
      await clock.setOff(OVER);
      await (await clientOf('tolerant').acquireAll(names)).release();
    });

    it('lets who waits have it when the tolerance is over', async () => {
      const lease = await leaseBefore(TTL + TOLERANCE - SECOND, 'tolerant');
      const next = await clientOf('tolerant').acquire(lockName, { wait: MINUTE });
      expect(next.lockTime.getTime()).toBeGreaterThanOrEqual(lease.expireTime.getTime() + TOLERANCE);
    });

    it('lets its own grant have it again, with a new token', async () => {
      const { grantId, fencingToken } = await leaseBefore(TOLERATED, 'tolerant');
      const again = await clientOf('tolerant').acquire(lockName, { grantId });
      expect(again.fencingToken).toBeGreaterThan(fencingToken);
    });

    it('does not let its holder renew or release it', async () => {
      const lease = await leaseBefore(TOLERATED, 'tolerant');
      await expect(lease.renew()).rejects.toThrow(LeaseLostError);
      await expect(lease.release()).rejects.toThrow(LeaseLostError);
    });

    it('does not keep others from a lock that was released', async () => {
      const lease = await clientOf('tolerant').acquire(lockName, { ttl: TTL });
      await lease.release();
      await (await clientOf('tolerant').acquire(lockName)).release();
    });

    it('nor from one that was released and had to stay taken for a while', async () => {
      const lease = await clientOf('tolerant').acquire(lockName, { ttl: TTL, minHold: TTL });
      await lease.release();
      expect(await clientOf('tolerant').tryAcquire(lockName)).toBeNull();
      await clock.setOff(TTL + SECOND);
      await (await clientOf('tolerant').acquire(lockName)).release();
    });

    it('decides under the row lock, too', async () => {
      await leaseBefore(OVER, 'tolerant');
      const session = await BlockingSession.open(database.url);
      try {
        await session.query('BEGIN');
        await session.query(
          `UPDATE tolerant_lock SET grant_id = gen_random_uuid(), expire_time = clock_timestamp() - interval '1 s' WHERE lock_name = $1`,
          [lockName],
        );
        const acquiring = clientOf('tolerant').tryAcquire(lockName);
        await session.awaitWaiter();
        await session.letGo();
        expect(await acquiring).toBeNull();
      } finally {
        await session.close();
      }
    });

    describe('an operator', () => {
      const by = { actor: 'olga', reason: 'a step of the clock' };

      it('cannot take it, and is told when to come back', async () => {
        await leaseBefore(TOLERATED, 'tolerant');
        const { desk } = serverOf('tolerant');
        const refusal = await desk.hold({ lockName, ttl: TTL, ...by }).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(LockBusyError);
        expect((refusal as LockBusyError).retryAfter).toBeGreaterThan(0);
        await clock.setOff(OVER);
        expect(await desk.hold({ lockName, ttl: TTL, ...by })).toMatchObject({ state: 'held' });
      });

      it('clears it only afterwards', async () => {
        await leaseBefore(TOLERATED, 'tolerant');
        await serverOf('tolerant').desk.clearExpired();
        expect(await clientOf('tolerant').tryAcquire(lockName)).toBeNull();
        await clock.setOff(OVER);
        expect(await serverOf('tolerant').desk.clearExpired()).toBeGreaterThanOrEqual(1);
      });

      it('can free it at once', async () => {
        const { fencingToken } = await leaseBefore(TOLERATED, 'tolerant');
        expect(await serverOf('tolerant').desk.forceRelease({ lockName, ...by })).toMatchObject({
          fencingToken,
        });
        await (await clientOf('tolerant').acquire(lockName)).release();
      });
    });
  });
});

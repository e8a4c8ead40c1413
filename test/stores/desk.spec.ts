import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIN_IDLE } from '../../libs/db-lock/src/store/lock-store.js';
import { acquisition, fresh, HOUR, joined, lease, released } from './requests.js';
import { STORES, type OpenStore } from './stores.js';

const ANN = { actor: 'ann', reason: 'because' };

/** As the history tells of a grantId. */
const shown = (grantId: string) => `${grantId.slice(0, 8)}…`;

describe.each(STORES)('operators of $name', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];
  let desk: OpenStore['desk'];

  beforeAll(async () => {
    opened = await open();
    ({ store, desk } = opened);
  });

  afterAll(() => opened.drop());

  const historyOf = (lockName: string) => opened.history.of(lockName, { limit: 200 });
  const look = async (lockName: string) => (await store.inspect([lockName]))[0]!;

  describe('free a lock by force', () => {
    it('that is held, and record whose it was', async () => {
      const held = await lease(store, fresh('force'), { workerName: 'bob', metadata: { a: 1 } });
      const { lockName, grantId, fencingToken, lockTime, expireTime } = held;
      const next = await joined(opened.queue, lockName);
      const [answer] = await desk.forceRelease([{ lockName, ...ANN }]);
      expect(answer).toMatchObject({
        outcome: 'forced',
        holders: [
          {
            lockName,
            workerName: 'bob',
            grantId,
            fencingToken,
            lockTime,
            expireTime,
            metadata: { a: 1 },
          },
        ],
        next: { grantId: next.grantId },
      });
      const lock = await look(lockName);
      expect(lock).toMatchObject({ state: 'released', workerName: null, metadata: null, lockTime });
      expect(lock.fencingToken).toBeGreaterThan(fencingToken);
      expect(await historyOf(lockName)).toMatchObject([
        {
          event: 'forced',
          workerName: 'bob',
          grantId: shown(grantId),
          fencingToken,
          ...ANN,
          details: null,
        },
      ]);
      expect(await store.release([held])).toMatchObject([{ outcome: 'lost' }]);
    });

    it('unless it is free, or was never there', async () => {
      const { lockName } = await released(store, fresh('force'));
      const never = fresh('force');
      const before = await look(lockName);
      expect(
        await desk.forceRelease([
          { lockName, ...ANN },
          { lockName: never, ...ANN },
        ]),
      ).toEqual([{ outcome: 'free' }, { outcome: 'free' }]);
      expect(await store.inspect([never])).toEqual([null]);
      expect((await look(lockName)).fencingToken).toBe(before.fencingToken);
      expect(await historyOf(lockName)).toEqual([]);
    });

    it('only of the lease that is meant', async () => {
      const { lockName, fencingToken } = await lease(store, fresh('force'));
      const answers = await desk.forceRelease([
        { lockName, ...ANN, fencingToken: fencingToken - 1 },
        { lockName, ...ANN, fencingToken },
        { lockName, ...ANN, fencingToken },
      ]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['changed', 'forced', 'free']);
      expect(await historyOf(lockName)).toHaveLength(1);
    });

    it('that stays taken after its release', async () => {
      const { lockName, grantId } = await lease(store, fresh('force'), { workerName: 'bob' });
      await store.release([{ lockName, grantId, minHold: HOUR }]);
      const [answer] = await desk.forceRelease([{ lockName, ...ANN }]);
      expect(answer).toMatchObject({ outcome: 'forced', holders: [{ workerName: 'bob' }], next: null });
      expect(await look(lockName)).toMatchObject({ state: 'released' });
    });

    it('not for the one whose lease was ended, though it stands in the queue', async () => {
      const { lockName, grantId } = await lease(store, fresh('force'));
      await joined(opened.queue, lockName, { grantId });
      expect(await desk.forceRelease([{ lockName, ...ANN }])).toMatchObject([{ next: null }]);
    });
  });

  describe('take a lock', () => {
    const hold = (lockName: string, metadata: Record<string, unknown> | null = null) => ({
      ...acquisition(lockName, { workerName: 'by hand', metadata }),
      actor: 'ann',
      reason: null,
    });

    it('that is free, past those who wait', async () => {
      const before = await released(store, fresh('take'));
      await joined(opened.queue, before.lockName);
      const request = hold(before.lockName, { why: 'x' });
      const answer = await desk.hold(request);
      if (answer.outcome !== 'held') throw new Error('not held');
      expect(answer.expired).toBeUndefined();
      expect(answer.lease).toMatchObject({
        lockName: before.lockName,
        workerName: 'by hand',
        grantId: request.grantId,
        metadata: { why: 'x' },
      });
      expect(answer.lease.fencingToken).toBeGreaterThan(before.fencingToken);
      expect(await historyOf(before.lockName)).toMatchObject([
        {
          event: 'created',
          workerName: 'by hand',
          grantId: shown(request.grantId),
          fencingToken: answer.lease.fencingToken,
          actor: 'ann',
          reason: null,
          details: null,
        },
      ]);
      expect(await store.release([answer.lease])).toMatchObject([{ outcome: 'released' }]);
    });

    it('of which there is none yet', async () => {
      const answer = await desk.hold(hold(fresh('take')));
      expect(answer).toMatchObject({ outcome: 'held', lease: { timeLeft: expect.any(Number) } });
    });

    it('unless somebody has it, or it stays taken', async () => {
      const { lockName, grantId } = await lease(store, fresh('take'));
      expect(await desk.hold(hold(lockName))).toEqual({ outcome: 'busy' });
      expect(await desk.hold({ ...hold(lockName), grantId })).toEqual({ outcome: 'busy' });
      await store.release([{ lockName, grantId, minHold: HOUR }]);
      expect(await desk.hold(hold(lockName))).toEqual({ outcome: 'busy' });
      expect(await historyOf(lockName)).toEqual([]);
    });

    it('after a lease that was never released, and record that first', async () => {
      const before = await lease(store, fresh('take'), { workerName: 'bob' });
      await opened.letPass(HOUR + 1);
      const { fencingToken } = await look(before.lockName);
      const answer = await desk.hold(hold(before.lockName));
      expect(answer).toMatchObject({
        outcome: 'held',
        expired: { lockName: before.lockName, workerName: 'bob', fencingToken },
      });
      expect(await historyOf(before.lockName)).toMatchObject([
        { event: 'created', workerName: 'by hand', actor: 'ann' },
        { event: 'expired', workerName: 'bob', grantId: null, fencingToken, actor: null, reason: null },
      ]);
    });
  });

  describe('edit a lease', () => {
    const metadata = { a: 1, b: [null, 'x'] };

    const edited = async (change: object, name = fresh('edit')) => {
      const before = await lease(store, name, { metadata });
      const { lockName, fencingToken } = before;
      const answer = await desk.edit({ lockName, fencingToken, actor: 'ann', reason: 'r', ...change });
      if (answer.outcome !== 'edited') throw new Error(answer.outcome);
      const [record, ...others] = await historyOf(lockName);
      expect(others).toEqual([]);
      expect(record).toMatchObject({
        event: 'edited',
        workerName: before.workerName,
        grantId: shown(before.grantId),
        fencingToken,
        actor: 'ann',
        reason: 'r',
      });
      expect(await look(lockName)).toMatchObject({
        state: 'held',
        metadata: answer.lease.metadata,
        expireTime: answer.lease.expireTime,
        fencingToken,
      });
      return { before, after: answer.lease, next: answer.next, details: record!.details };
    };

    it.each([2 * HOUR, 60_000])('to end in %d ms', async (ttl) => {
      const { before, after, details } = await edited({ ttl });
      expect(after.timeLeft).toBeLessThanOrEqual(ttl);
      expect(after.timeLeft).toBeGreaterThan(ttl - 50_000);
      expect(after.metadata).toEqual(metadata);
      expect(after.lockTime).toEqual(before.lockTime);
      expect(details).toEqual({
        expireTime: { from: before.expireTime.toISOString(), to: after.expireTime.toISOString() },
      });
    });

    it('to have other metadata', async () => {
      const { before, after, details } = await edited({ metadata: { b: 2 } });
      expect(after.metadata).toEqual({ b: 2 });
      expect(after.expireTime).toEqual(before.expireTime);
      expect(details).toEqual({ metadata: { from: metadata, to: { b: 2 } } });
    });

    it('to have none', async () => {
      const { after, details } = await edited({ metadata: null });
      expect(after.metadata).toBeNull();
      expect(details).toEqual({ metadata: { from: metadata, to: null } });
    });

    it('in both', async () => {
      const { before, after, details } = await edited({ ttl: 2 * HOUR, metadata: {} });
      expect(after.metadata).toEqual({});
      expect(details).toEqual({
        expireTime: { from: before.expireTime.toISOString(), to: after.expireTime.toISOString() },
        metadata: { from: metadata, to: {} },
      });
    });

    it('in nothing', async () => {
      expect((await edited({})).details).toEqual({});
      expect((await edited({ metadata: { b: [null, 'x'], a: 1 } })).details).toEqual({});
    });

    it('and hear who is next', async () => {
      const name = fresh('edit');
      const next = await joined(opened.queue, name);
      expect((await edited({ ttl: HOUR }, name)).next).toMatchObject({ grantId: next.grantId });
    });

    it('that is the one which is meant, and live', async () => {
      const { lockName, fencingToken } = await lease(store, fresh('edit'));
      const edit = { lockName, fencingToken, ttl: 2 * HOUR, actor: 'ann', reason: null };
      expect(await desk.edit({ ...edit, fencingToken: fencingToken - 1 })).toEqual({ outcome: 'changed' });
      expect(await desk.edit({ ...edit, lockName: fresh('never') })).toEqual({ outcome: 'changed' });
      const ended = await released(store, fresh('edit'));
      expect(
        await desk.edit({ ...edit, lockName: ended.lockName, fencingToken: ended.fencingToken }),
      ).toEqual({ outcome: 'changed' });
      await opened.letPass(HOUR + 1);
      const expired = await look(lockName);
      expect(await desk.edit({ ...edit, fencingToken: expired.fencingToken })).toEqual({
        outcome: 'changed',
      });
      expect(await historyOf(lockName)).toEqual([]);
    });

    it('so that a release of the version before ends nothing', async () => {
      const before = await lease(store, fresh('edit'));
      const { lockName, fencingToken, grantId, version } = before;
      await desk.edit({ lockName, fencingToken, metadata: { a: 2 }, actor: 'ann', reason: null });
      expect(await store.release([{ lockName, grantId, version }])).toMatchObject([{ outcome: 'lost' }]);
    });
  });

  describe('delete locks', () => {
    it('that are free and idle, and nobody waits for', async () => {
      const prefix = fresh('delete');
      const idle = await released(store, `${prefix}/idle`);
      const expired = await lease(store, `${prefix}/expired`);
      const contended = await released(store, `${prefix}/contended`);
      const abandoned = await released(store, `${prefix}/abandoned`);
      const held = await lease(store, `${prefix}/held`, { ttl: 9 * HOUR });
      await joined(opened.queue, abandoned.lockName);
      await opened.letPass(HOUR + MIN_IDLE);
      await joined(opened.queue, contended.lockName);
      const recent = await released(store, `${prefix}/recent`);
      const locks = [recent, idle, expired, contended, held, idle, abandoned];
      const names = locks.map(({ lockName }) => lockName);
      const { fencingToken } = await look(idle.lockName);
      const deleted = await desk.deleteReleased([...names, `${prefix}/never`], 'ann');
      expect(deleted.toSorted()).toEqual([abandoned.lockName, idle.lockName]);
      const left = (await store.inspect(names)).flatMap((lock) => lock?.lockName ?? []);
      expect(left).toEqual([recent, expired, contended, held].map(({ lockName }) => lockName));
      expect(await historyOf(idle.lockName)).toMatchObject([
        { event: 'deleted', workerName: null, grantId: null, fencingToken, actor: 'ann', reason: null },
      ]);
      expect(await historyOf(recent.lockName)).toEqual([]);
      expect(await desk.deleteReleased(names, 'ann')).toEqual([]);
      expect(await desk.deleteReleased([], 'ann')).toEqual([]);
    });
  });

  describe('clear expired leases', () => {
    it('of which nobody is told, or with who does it', async () => {
      await opened.letPass(24 * HOUR);
      await desk.clearExpired();
      const one = await lease(store, fresh('clear'), { workerName: 'bob', metadata: { a: 1 } });
      const kept = await lease(store, fresh('clear'));
      await store.release([{ lockName: kept.lockName, grantId: kept.grantId, minHold: HOUR }]);
      await opened.letPass(2 * HOUR);
      const held = await lease(store, fresh('clear'));
      const before = await look(one.lockName);
      expect(await desk.clearExpired('ann')).toBe(1);
      expect(await look(one.lockName)).toMatchObject({
        state: 'released',
        workerName: null,
        metadata: null,
        fencingToken: before.fencingToken,
        expireTime: before.expireTime,
      });
      expect(await look(held.lockName)).toMatchObject({ state: 'held' });
      expect(await historyOf(one.lockName)).toMatchObject([
        {
          event: 'cleared',
          workerName: 'bob',
          grantId: shown(one.grantId),
          fencingToken: before.fencingToken,
          actor: 'ann',
          reason: null,
        },
      ]);
      expect(await historyOf(kept.lockName)).toEqual([]);
      expect(await desk.clearExpired('ann')).toBe(0);
      const other = await lease(store, fresh('clear'));
      await opened.letPass(2 * HOUR);
      expect(await desk.clearExpired()).toBe(2);
      expect(await historyOf(other.lockName)).toEqual([]);
      const [again] = await store.acquire([acquisition(one.lockName)]);
      expect(again!.outcome).toBe('granted');
      expect(again).not.toHaveProperty('expired', expect.anything());
    });
  });
});

describe.each(STORES)('operators within the clock tolerance of $name', ({ open }) => {
  const TOLERANCE = 60_000;
  let opened: OpenStore;

  beforeAll(async () => {
    opened = await open({ clockTolerance: TOLERANCE });
  });

  afterAll(() => opened.drop());

  it('see a lease as expired that still keeps others out', async () => {
    const { store, desk } = opened;
    const { lockName, grantId, ...held } = await lease(store, fresh('tolerance'), { workerName: 'bob' });
    await opened.letPass(HOUR + 1);
    expect(await store.inspect([lockName])).toMatchObject([{ state: 'expired', workerName: 'bob' }]);
    const hold = { ...acquisition(lockName), actor: 'ann', reason: null };
    expect(await desk.hold(hold)).toEqual({ outcome: 'busy' });
    expect(await desk.clearExpired('ann')).toBe(0);
    const fencingToken = (await store.inspect([lockName]))[0]!.fencingToken;
    expect(await desk.edit({ lockName, fencingToken, ttl: HOUR, actor: 'ann', reason: null })).toEqual({
      outcome: 'changed',
    });
    expect(await desk.forceRelease([{ lockName, ...ANN, fencingToken }])).toMatchObject([
      { outcome: 'forced', holders: [{ workerName: held.workerName, grantId, timeLeft: 0 }] },
    ]);
    expect(await desk.hold(hold)).toMatchObject({ outcome: 'held', expired: undefined });
  });

  it('find a lease over after that', async () => {
    const { store, desk } = opened;
    const [forced, cleared, taken] = await Promise.all(
      ['f', 'c', 't'].map((name) => lease(store, fresh(name))),
    );
    await opened.letPass(HOUR + TOLERANCE);
    expect(await desk.forceRelease([{ lockName: forced!.lockName, ...ANN }])).toEqual([{ outcome: 'free' }]);
    const hold = { ...acquisition(taken!.lockName), actor: 'ann', reason: null };
    expect(await desk.hold(hold)).toMatchObject({ outcome: 'held', expired: { workerName: 'worker' } });
    expect(await desk.clearExpired()).toBeGreaterThanOrEqual(2);
    expect(await store.inspect([cleared!.lockName])).toMatchObject([{ state: 'released' }]);
  });
});

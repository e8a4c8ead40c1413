import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MIN_IDLE, type LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import { AWKWARD_NAMES } from '../support/lock-names.js';
import { acquisition, fresh, HOUR, joined, keyOf, lease, released, renewal } from './requests.js';
import { DATABASES, POSTGRES_WAYS, STORES, type OpenStore } from './stores.js';

describe.each([...STORES, ...POSTGRES_WAYS])('leases on $name', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];

  beforeAll(async () => {
    opened = await open();
    ({ store } = opened);
  });

  afterAll(() => opened.drop());

  const stateOf = async (lockName: string) => (await store.inspect([lockName]))[0]?.state;

  describe('one name twice in a batch', () => {
    it('is granted to the first, and refused to the second', async () => {
      const name = fresh('twice');
      const requests = [acquisition(name), acquisition(fresh('other')), acquisition(name)];
      const [first, other, second] = await store.acquire(requests);
      expect([first!.outcome, other!.outcome, second!.outcome]).toEqual(['granted', 'granted', 'busy']);
      expect(second).toMatchObject({ holder: { grantId: requests[0]!.grantId, lockName: name } });
    });

    it('is granted to one grantId once, and then repeated', async () => {
      const request = acquisition(fresh('twice'));
      const [first, second] = await store.acquire([request, request]);
      expect(first).toMatchObject({ outcome: 'granted', repeated: false });
      expect(second).toMatchObject({ outcome: 'granted', repeated: true });
    });

    it('is released once, and then lost', async () => {
      const held = await lease(store, fresh('twice'));
      const answers = await store.release([held, held]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['released', 'lost']);
    });

    it('is renewed each time', async () => {
      const held = await lease(store, fresh('twice'));
      const answers = await store.renew([renewal(held), renewal(held, { ttl: 3 * HOUR })]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['renewed', 'renewed']);
      const [, last] = answers;
      if (last?.outcome === 'renewed') expect(last.lease.timeLeft).toBeGreaterThan(2 * HOUR);
    });
  });

  describe('a lease', () => {
    it('follows on another one with all that its request says, and nothing of that one', async () => {
      const name = fresh('follows');
      const before = await lease(store, name, { workerName: 'before', metadata: { of: 'before' } });
      await store.release([keyOf(before)]);
      const request = acquisition(name, { workerName: 'after', metadata: { of: ['after', "it's"] } });
      const [answer] = await store.acquire([request]);
      const { workerName, grantId, metadata } = request;
      expect(answer).toMatchObject({
        outcome: 'granted',
        repeated: false,
        lease: { lockName: name, workerName, grantId, metadata },
      });
      const { fencingToken, lockTime, expireTime } = (answer as { lease: LeaseRecord }).lease;
      expect(fencingToken).toBeGreaterThan(before.fencingToken);
      expect(expireTime.getTime() - lockTime.getTime()).toBe(HOUR);
      expect(await store.inspect([name])).toMatchObject([
        { state: 'held', workerName, fencingToken, lockTime, expireTime, metadata },
      ]);
    });

    it('that is released ends then', async () => {
      const held = await lease(store, fresh('ends'));
      const [answer] = await store.release([keyOf(held)]);
      expect(answer).toMatchObject({ outcome: 'released', grantId: held.grantId, next: null });
      const [lock] = await store.inspect([held.lockName]);
      expect(lock).toMatchObject({ state: 'released', workerName: null, metadata: null });
      expect(lock!.fencingToken).toBe(held.fencingToken);
      expect(lock!.expireTime.getTime()).toBeLessThanOrEqual(
        (answer as { serverTime: Date }).serverTime.getTime(),
      );
    });

    it('that has run out is not released any more', async () => {
      const held = await lease(store, fresh('ran-out'));
      await opened.letPass(HOUR + 1);
      expect((await store.release([keyOf(held)]))[0]!.outcome).toBe('lost');
      expect(await stateOf(held.lockName)).toBe('expired');
    });
  });

  describe('a repeat', () => {
    it('gets the same lease, whatever else it asks for', async () => {
      const request = acquisition(fresh('repeat'), { metadata: { first: true } });
      const [first] = await store.acquire([request]);
      const [again] = await store.acquire([
        { ...request, ttl: 2 * HOUR, workerName: 'somebody else', metadata: { first: false } },
      ]);
      if (first?.outcome !== 'granted' || again?.outcome !== 'granted') throw new Error('refused');
      expect(again.repeated).toBe(true);
      expect(again.expired).toBeUndefined();
      const { lockName, workerName, grantId, fencingToken, lockTime, expireTime } = first.lease;
      expect(again.lease).toMatchObject({
        lockName,
        workerName,
        grantId,
        fencingToken,
        lockTime,
        expireTime,
        metadata: { first: true },
      });
      expect(again.lease.version).not.toBe(first.lease.version);
    });

    it('of a lease that has run out is a new lease, of a greater token, after nobody', async () => {
      const request = acquisition(fresh('repeat'));
      const [first] = await store.acquire([request]);
      await opened.letPass(HOUR + 1);
      const [again] = await store.acquire([request]);
      if (first?.outcome !== 'granted' || again?.outcome !== 'granted') throw new Error('refused');
      expect(again).toMatchObject({ repeated: false, expired: undefined });
      expect(again.lease.fencingToken).toBeGreaterThan(first.lease.fencingToken);
    });
  });

  describe('a release by version', () => {
    it('ends the lease as it was granted', async () => {
      const held = await lease(store, fresh('version'));
      expect(await store.release([{ ...held, version: held.version! }])).toMatchObject([
        { outcome: 'released', grantId: held.grantId, next: null },
      ]);
    });

    it.each(['repeat', 'renewal'])('ends nothing after a %s', async (event) => {
      const request = acquisition(fresh('version'));
      const [first] = await store.acquire([request]);
      if (first?.outcome !== 'granted') throw new Error('refused');
      const { lockName, grantId, version } = first.lease;
      await (event === 'repeat' ? store.acquire([request]) : store.renew([renewal(request)]));
      expect(await store.release([{ lockName, grantId, version: version! }])).toMatchObject([
        { outcome: 'lost' },
      ]);
      expect(await stateOf(lockName)).toBe('held');
    });

    it('ends nothing in a version that there never is', async () => {
      const { lockName, grantId } = await lease(store, fresh('version'));
      for (const version of ['never', '', ' 1', '1.0', '0x1', '-1'])
        for (const minHold of [0, 1])
          expect(await store.release([{ lockName, grantId, version, minHold }])).toMatchObject([
            { outcome: 'lost' },
          ]);
      expect(await stateOf(lockName)).toBe('held');
    });

    it('may keep the lock taken', async () => {
      const { lockName, grantId, version } = await lease(store, fresh('version'));
      const release = { lockName, grantId, minHold: HOUR };
      expect(await store.release([{ ...release, version: `${version}0` }])).toMatchObject([
        { outcome: 'lost' },
      ]);
      expect(await store.release([{ ...release, version }])).toMatchObject([{ outcome: 'released' }]);
      expect(await store.acquire([acquisition(lockName)])).toMatchObject([{ outcome: 'busy' }]);
    });
  });

  describe('minHold', () => {
    it('keeps the lock for nobody until so long after the start of the lease', async () => {
      const held = await lease(store, fresh('hold'), { ttl: 2 * HOUR, metadata: { a: 1 } });
      const { lockName, grantId } = held;
      await store.release([{ lockName, grantId, minHold: HOUR }]);
      expect(await store.inspect([lockName])).toMatchObject([
        { state: 'held', workerName: 'worker', fencingToken: held.fencingToken, metadata: { a: 1 } },
      ]);
      const expireTime = new Date(held.lockTime.getTime() + HOUR);
      expect(await store.acquire([acquisition(lockName)])).toMatchObject([
        { outcome: 'busy', holder: { workerName: 'worker', expireTime } },
      ]);
      expect(await store.release([{ lockName, grantId }])).toMatchObject([{ outcome: 'lost' }]);
      expect(await store.renew([renewal(held)])).toMatchObject([{ outcome: 'lost' }]);
      await opened.letPass(HOUR);
      expect(await store.inspect([lockName])).toMatchObject([
        { state: 'released', workerName: null, metadata: null },
      ]);
      const [next] = await store.acquire([acquisition(lockName)]);
      expect(next).toMatchObject({ outcome: 'granted', repeated: false, expired: undefined });
    });

    it('keeps nothing that was held for longer', async () => {
      const { lockName, grantId } = await lease(store, fresh('hold'));
      await opened.letPass(2_000);
      await store.release([{ lockName, grantId, minHold: 1_000 }]);
      expect(await store.inspect([lockName])).toMatchObject([{ state: 'released', workerName: null }]);
    });

    it('is told with who is next', async () => {
      const { lockName, grantId } = await lease(store, fresh('hold'));
      const next = await joined(opened.queue, lockName);
      expect(await store.release([{ lockName, grantId, minHold: HOUR }])).toMatchObject([
        { outcome: 'released', next: { grantId: next.grantId } },
      ]);
    });
  });

  describe('a release by worker', () => {
    it("ends the worker's lease, and tells which that was", async () => {
      const { lockName, grantId } = await lease(store, fresh('worker'), { workerName: 'Ann' });
      expect(
        await store.release([
          { lockName, workerName: 'ann' },
          { lockName, workerName: 'Ann' },
          { lockName, workerName: 'Ann' },
        ]),
      ).toMatchObject([{ outcome: 'lost' }, { outcome: 'released', grantId }, { outcome: 'lost' }]);
    });

    it('goes with releases by grant', async () => {
      const one = await lease(store, fresh('worker'));
      const other = await lease(store, fresh('worker'), { workerName: 'bob' });
      expect(
        await store.release([
          { lockName: other.lockName, workerName: 'bob' },
          { lockName: one.lockName, grantId: one.grantId },
          { lockName: fresh('never'), workerName: 'bob' },
        ]),
      ).toMatchObject([
        { outcome: 'released', grantId: other.grantId },
        { outcome: 'released', grantId: one.grantId },
        { outcome: 'lost' },
      ]);
    });

    it('ends no lease that has run out', async () => {
      const { lockName } = await lease(store, fresh('worker'));
      await opened.letPass(HOUR + 1);
      expect(await store.release([{ lockName, workerName: 'worker' }])).toMatchObject([{ outcome: 'lost' }]);
      expect(await stateOf(lockName)).toBe('expired');
    });
  });

  describe('a renewal', () => {
    it('never shortens a lease', async () => {
      const held = await lease(store, fresh('renew'));
      const [answer] = await store.renew([renewal(held, { ttl: 1_000 })]);
      expect(answer).toMatchObject({ outcome: 'renewed', lease: { expireTime: held.expireTime } });
    });

    it('of a lease that its holder knows is that of its token only', async () => {
      const held = await lease(store, fresh('renew'), { metadata: { a: [1, null] } });
      const { workerName, fencingToken, lockTime, lockName, grantId } = held;
      const [other, known] = await store.renew([
        renewal(held, { held: { workerName, lockTime, fencingToken: fencingToken - 1 } }),
        renewal(held, { held: { workerName, lockTime, fencingToken } }),
      ]);
      expect(other).toMatchObject({ outcome: 'lost' });
      expect(known).toMatchObject({
        outcome: 'renewed',
        lease: { lockName, grantId, workerName, fencingToken, lockTime, metadata: { a: [1, null] } },
      });
    });

    it('of what has run out, was released or never was is lost', async () => {
      const ended = await released(store, fresh('renew'));
      const held = await lease(store, fresh('renew'));
      await opened.letPass(HOUR + 1);
      const never = { lockName: fresh('renew'), grantId: randomUUID() };
      for (const gone of [ended, held, never])
        expect(await store.renew([renewal(gone)])).toEqual([
          { outcome: 'lost', serverTime: expect.any(Date) },
        ]);
    });
  });

  describe('a set', () => {
    const setOf = (names: string[]) => {
      const grantId = randomUUID();
      return names.map((lockName) => acquisition(lockName, { grantId }));
    };

    it('is granted whole, in the order of the request', async () => {
      const set = setOf([fresh('z'), fresh('a'), fresh('m')]);
      const answer = await store.acquireSet(set);
      expect(answer).toMatchObject({ outcome: 'granted', repeated: false, expired: [] });
      if (answer.outcome === 'granted')
        expect(answer.leases.map(({ lockName }) => lockName)).toEqual(set.map(({ lockName }) => lockName));
    });

    it('is not granted at all while somebody has one of it', async () => {
      const held = await lease(store, fresh('set'));
      const free = fresh('set');
      expect(await store.acquireSet(setOf([free, held.lockName]))).toMatchObject({
        outcome: 'busy',
        holder: { lockName: held.lockName, grantId: held.grantId },
      });
      expect(await store.inspect([free])).toEqual([null]);
    });

    it('is a repeat only where all of it are', async () => {
      const set = setOf([fresh('set'), fresh('set')]);
      const first = await store.acquireSet(set);
      const again = await store.acquireSet(set);
      if (first.outcome !== 'granted' || again.outcome !== 'granted') throw new Error('refused');
      expect(again.repeated).toBe(true);
      expect(again.leases.map(({ fencingToken }) => fencingToken)).toEqual(
        first.leases.map(({ fencingToken }) => fencingToken),
      );
      await store.release([set[1]!]);
      const half = await store.acquireSet(set);
      if (half.outcome !== 'granted') throw new Error('refused');
      expect(half.repeated).toBe(false);
      expect(half.leases[0]!.fencingToken).toBe(first.leases[0]!.fencingToken);
      expect(half.leases[1]!.fencingToken).toBeGreaterThan(first.leases[1]!.fencingToken);
    });

    it('tells of the leases that were never released', async () => {
      const [one, other, own] = [fresh('set-b'), fresh('set-a'), fresh('set-c')];
      const first = await lease(store, one, { workerName: 'ann' });
      await lease(store, other, { workerName: 'bob' });
      const set = setOf([one, own, other]);
      await lease(store, own, { grantId: set[0]!.grantId });
      await opened.letPass(HOUR + 1);
      const answer = await store.acquireSet(set);
      if (answer.outcome !== 'granted') throw new Error('refused');
      expect(answer.repeated).toBe(false);
      const by = new Map(answer.expired.map(({ lockName, workerName }) => [lockName, workerName]));
      expect(by).toEqual(
        new Map([
          [one, 'ann'],
          [other, 'bob'],
        ]),
      );
      expect(answer.leases[0]!.fencingToken).toBeGreaterThan(first.fencingToken);
    });
  });

  describe('names', () => {
    const NAMES = [
      ...AWKWARD_NAMES,
      "O'Reilly",
      'job\u00a0',
      'İ',
      'ß',
      'ẞ',
      '-',
      '--',
      '/*',
      '?1',
      ':now',
      '$1',
    ];

    it('are locks of their own, each by its bytes', async () => {
      const requests = NAMES.map((lockName, index) =>
        acquisition(lockName, { workerName: `${index} ${lockName}`.slice(0, 255) }),
      );
      const granted = await store.acquire(requests);
      expect(granted.map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'granted'));
      const inspected = await store.inspect(NAMES);
      expect(inspected.map((lock) => lock?.lockName)).toEqual(NAMES);
      expect(inspected.map((lock) => lock?.workerName)).toEqual(requests.map(({ workerName }) => workerName));
      const renewed = await store.renew(requests.map((request) => renewal(request)));
      expect(renewed.map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'renewed'));
      const ended = await store.release(requests.map(({ lockName, grantId }) => ({ lockName, grantId })));
      expect(ended.map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'released'));
    });

    it('may be asked about more than once, and where there is no such lock', async () => {
      const { lockName } = await lease(store, fresh('look'));
      const looks = await store.inspect([lockName, fresh('never'), lockName]);
      expect(looks.map((look) => look?.lockName)).toEqual([lockName, undefined, lockName]);
    });
  });

  it('keeps 8 KiB of metadata as they are', async () => {
    const metadata = {
      text: 'ö🔒"\\\n'.repeat(620),
      numbers: [0, -1, 1.5, 1e21, Number.MAX_SAFE_INTEGER],
      deep: { a: { b: [{ c: null }, true, false, ''] } },
      "it's": { $1: ':now', '': '' },
    };
    const held = await lease(store, fresh('metadata'), { metadata });
    expect(held.metadata).toEqual(metadata);
    expect((await store.inspect([held.lockName]))[0]!.metadata).toEqual(metadata);
    const [renewed] = await store.renew([renewal(held)]);
    expect(renewed).toMatchObject({ lease: { metadata } });
    const [busy] = await store.acquire([acquisition(held.lockName)]);
    expect(busy).toMatchObject({ holder: { metadata } });
  });

  it('tells all of a lease, and when that was', async () => {
    const request = acquisition(fresh('lease'), { metadata: { a: 1 } });
    const [answer] = await store.acquire([request]);
    if (answer?.outcome !== 'granted') throw new Error('refused');
    const { lockTime, expireTime, serverTime, timeLeft, ...rest } = answer.lease;
    expect(rest).toEqual({
      lockName: request.lockName,
      workerName: request.workerName,
      grantId: request.grantId,
      metadata: { a: 1 },
      fencingToken: expect.any(Number),
      version: expect.any(String),
    });
    expect(expireTime.getTime() - lockTime.getTime()).toBe(HOUR);
    expect(serverTime.getTime()).toBeGreaterThanOrEqual(lockTime.getTime());
    expect(timeLeft).toBeLessThanOrEqual(HOUR);
    expect(timeLeft).toBeGreaterThan(0);
  });

  it('tells of an expired lease that another comes after', async () => {
    const { lockName, fencingToken } = await lease(store, fresh('expired'), { workerName: 'ann' });
    await opened.letPass(HOUR + 1);
    const [answer] = await store.acquire([acquisition(lockName)]);
    if (answer?.outcome !== 'granted') throw new Error('refused');
    expect(answer.expired).toMatchObject({ lockName, workerName: 'ann' });
    expect(answer.lease.fencingToken).toBeGreaterThan(fencingToken - HOUR * 1000 - 1000);
  });

  describe('idle locks', () => {
    it('are removed, and used ones stay', async () => {
      const idle = await released(store, fresh('idle'));
      const expired = await lease(store, fresh('idle'));
      const long = await lease(store, fresh('idle'), { ttl: 10 * HOUR });
      await opened.letPass(HOUR + 2 * MIN_IDLE);
      const recent = await released(store, fresh('idle'));
      expect(await store.removeIdle(MIN_IDLE)).toBeGreaterThanOrEqual(2);
      const names = [idle, expired, long, recent].map(({ lockName }) => lockName);
      const states = (await store.inspect(names)).map((lock) => lock?.state);
      expect(states).toEqual([undefined, undefined, 'held', 'released']);
      expect(await store.removeIdle(MIN_IDLE)).toBe(0);
      expect((await lease(store, idle.lockName)).lockName).toBe(idle.lockName);
    });
  });
});

describe.each([...STORES, ...POSTGRES_WAYS])('a clock tolerance on $name', ({ open }) => {
  const TOLERANCE = 60_000;
  let opened: OpenStore;
  let store: OpenStore['store'];

  beforeAll(async () => {
    opened = await open({ clockTolerance: TOLERANCE });
    ({ store } = opened);
  });

  afterAll(() => opened.drop());

  it('is told', () => {
    expect(store.clockTolerance).toBe(TOLERANCE);
  });

  it('keeps others out for so long after a lease that was not released', async () => {
    const held = await lease(store, fresh('tolerance'));
    await opened.letPass(HOUR + 1);
    const [busy] = await store.acquire([acquisition(held.lockName)]);
    if (busy?.outcome !== 'busy') throw new Error('not busy');
    expect(busy.holder.timeLeft).toBeGreaterThan(0);
    expect(busy.holder.timeLeft).toBeLessThan(TOLERANCE);
    expect(await store.acquireSet([acquisition(held.lockName)])).toMatchObject({ outcome: 'busy' });
    expect(await store.renew([renewal(held)])).toMatchObject([{ outcome: 'lost' }]);
    expect(await store.release([held])).toMatchObject([{ outcome: 'lost' }]);
    await opened.letPass(TOLERANCE);
    const [granted] = await store.acquire([acquisition(held.lockName)]);
    expect(granted).toMatchObject({ outcome: 'granted', expired: { workerName: 'worker' } });
  });

  it('keeps its own holder out no longer than the lease', async () => {
    const request = acquisition(fresh('tolerance'));
    await store.acquire([request]);
    await opened.letPass(HOUR + 1);
    expect(await store.acquire([request])).toMatchObject([{ outcome: 'granted', repeated: false }]);
  });

  it('does not lengthen a minHold', async () => {
    const { lockName, grantId } = await lease(store, fresh('tolerance'));
    await store.release([{ lockName, grantId, minHold: 30_000 }]);
    const [busy] = await store.acquire([acquisition(lockName)]);
    if (busy?.outcome !== 'busy') throw new Error('not busy');
    expect(busy.holder.timeLeft).toBeLessThanOrEqual(30_000);
    await opened.letPass(30_000);
    expect(await store.acquire([acquisition(lockName)])).toMatchObject([{ outcome: 'granted' }]);
  });
});

describe.each([...DATABASES, ...POSTGRES_WAYS])(
  'a token that runs ahead of the clock, on $name',
  ({ open }) => {
    let opened: OpenStore;
    let store: OpenStore['store'];

    beforeAll(async () => {
      opened = await open();
      ({ store } = opened);
    });

    afterAll(() => opened.drop());

    it('keeps its lock, though that is idle, until the clock has come up', async () => {
      const { lockName } = await released(store, fresh('ahead'));
      await opened.letPass(HOUR);
      await opened.raiseToken!(lockName, 2 * HOUR);
      const [before] = await store.inspect([lockName]);
      await store.removeIdle(MIN_IDLE);
      const after = await lease(store, lockName);
      expect(after.fencingToken).toBe(before!.fencingToken + 1);
      expect(after.lockTime.getTime() * 1000).toBeLessThan(after.fencingToken);
      await store.release([after]);
      await opened.letPass(3 * HOUR);
      expect(await store.removeIdle(MIN_IDLE)).toBeGreaterThanOrEqual(1);
      expect(await store.inspect([lockName])).toEqual([null]);
    });
  },
);

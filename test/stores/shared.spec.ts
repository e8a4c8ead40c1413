import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { SHARED_GRANT, type SharedRequest } from '../../libs/db-lock/src/lease/requests.js';
import type { AcquireAnswer, LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import type { SharedLocks } from '../../libs/db-lock/src/store/shared-locks.js';
import { ALIVE, TURN } from '../../libs/db-lock/src/store/wait-queue.js';
import {
  acquisition,
  fresh,
  HOUR,
  joined,
  keyOf,
  lease,
  OTHER_SERVER,
  renewal,
  SERVER,
  shared as share,
  sharing,
} from './requests.js';
import { DATABASES, STORES, WITH_SHORTCUTS, type OpenStore } from './stores.js';

const MINUTE = 60_000;

const outcomesOf = (answers: readonly AcquireAnswer[]) => answers.map(({ outcome }) => outcome);

function leasesOf(answers: readonly AcquireAnswer[]): LeaseRecord[] {
  return answers.map((answer) => {
    if (answer.outcome !== 'granted') throw new Error(`not granted: ${answer.outcome}`);
    return answer.lease;
  });
}

describe.each([...STORES, WITH_SHORTCUTS])('leases in shared mode on $name', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];
  let queue: OpenStore['queue'];
  let shared: SharedLocks;

  beforeAll(async () => {
    opened = await open();
    ({ store, queue } = opened);
    shared = store.shared!;
  });

  afterAll(() => opened.drop());

  const look = async (lockName: string) => (await store.inspect([lockName]))[0]!;
  const permitsOf = async (lockName: string) => (await look(lockName)).sharing?.permits ?? 0;
  const workersIn = async (lockName: string) =>
    (await look(lockName)).queue.map(({ workerName }) => workerName);
  const tryAlone = async (lockName: string) => (await store.acquire([acquisition(lockName)]))[0]!;
  const tryToShare = async (lockName: string, options: Parameters<typeof sharing>[1] = {}) =>
    (await shared.acquire([sharing(lockName, options)]))[0]!;

  describe('a grant', () => {
    it('tells all of the lease, and when that was', async () => {
      const request = sharing(fresh('shared'), { permits: 2, limit: 5, metadata: { a: 1 } });
      const [answer] = await shared.acquire([request]);
      const [granted] = leasesOf([answer!]);
      const { lockTime, expireTime, serverTime, timeLeft, ...rest } = granted!;
      expect(answer).toMatchObject({ outcome: 'granted', repeated: false, next: null });
      expect(rest).toEqual({
        lockName: request.lockName,
        workerName: request.workerName,
        grantId: request.grantId,
        metadata: { a: 1 },
        fencingToken: expect.any(Number),
        version: expect.any(String),
        share: { permits: 2, limit: 5 },
      });
      expect(expireTime.getTime() - lockTime.getTime()).toBe(HOUR);
      expect(serverTime.getTime()).toBeGreaterThanOrEqual(lockTime.getTime());
      expect(timeLeft).toBeLessThanOrEqual(HOUR);
      expect(timeLeft).toBeGreaterThan(0);
    });

    it('of several in one batch gives each a greater token, and the lock that of the last', async () => {
      const name = fresh('shared');
      const before = await lease(store, name);
      await store.release([before]);
      const workers = ['ann', 'bob', 'eve'];
      const leases = leasesOf(
        await shared.acquire(
          workers.map((workerName) => sharing(name, { workerName, metadata: { workerName } })),
        ),
      );
      const tokens = leases.map(({ fencingToken }) => fencingToken);
      expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
      expect(new Set([before.fencingToken, ...tokens]).size).toBe(4);
      expect(tokens[0]).toBeGreaterThan(before.fencingToken);
      expect(await look(name)).toMatchObject({
        state: 'held',
        workerName: 'eve',
        metadata: { workerName: 'eve' },
        fencingToken: tokens[2],
        sharing: { holders: 3, permits: 3, limits: [] },
      });
      await shared.release(leases.map(keyOf));
      expect((await lease(store, name)).fencingToken).toBeGreaterThan(tokens[2]!);
    });

    it('keeps everybody out who wants the lock alone, until the last of them ends', async () => {
      const name = fresh('shared');
      const long = await share(store, name, { workerName: 'ann', ttl: 2 * HOUR });
      const newest = await share(store, name, { workerName: 'bob' });
      const busy = {
        outcome: 'busy',
        holder: { lockName: name, workerName: 'bob', grantId: SHARED_GRANT, expireTime: long.expireTime },
      };
      expect(await tryAlone(name)).toMatchObject(busy);
      expect(await store.acquireSet([acquisition(name)])).toMatchObject(busy);
      expect(await store.acquire([acquisition(name, { grantId: long.grantId })])).toMatchObject([busy]);
      await shared.release([keyOf(newest)]);
      expect(await tryAlone(name)).toMatchObject({ ...busy, holder: { workerName: 'ann' } });
      await shared.release([keyOf(long)]);
      const alone = await tryAlone(name);
      expect(alone).toMatchObject({ outcome: 'granted' });
      expect(alone).not.toHaveProperty('expired.fencingToken');
    });

    it('keeps them out until the longest of a batch ends', async () => {
      const name = fresh('shared');
      await shared.release([keyOf(await share(store, name))]);
      const [longest] = leasesOf(await shared.acquire([sharing(name, { ttl: 2 * HOUR }), sharing(name)]));
      const { expireTime } = longest!;
      expect(await tryAlone(name)).toMatchObject({ outcome: 'busy', holder: { expireTime } });
    });

    it('is refused while somebody has the lock alone, also to that one', async () => {
      const held = await lease(store, fresh('shared'), { workerName: 'ann' });
      const { lockName, grantId } = held;
      const busy = { outcome: 'busy', holder: { lockName, grantId, workerName: 'ann' } };
      expect(await tryToShare(lockName)).toMatchObject(busy);
      expect(await tryToShare(lockName, { grantId })).toMatchObject(busy);
      await store.release([{ lockName, grantId, minHold: HOUR }]);
      expect(await tryToShare(lockName)).toMatchObject({ outcome: 'busy', holder: { workerName: 'ann' } });
      await opened.letPass(HOUR);
      expect(await tryToShare(lockName)).toMatchObject({ outcome: 'granted', repeated: false });
    });

    it('goes by the limit of each one, in one batch and over several', async () => {
      const name = fresh('limits');
      const wanted = [
        { permits: 2, limit: 3 },
        { permits: 2, limit: 3 },
        { permits: 5, limit: 10 },
        { permits: 1, limit: 7 },
        { permits: 1, limit: 8 },
        { permits: 1, limit: 1 },
        { permits: 100, limit: null },
        { permits: 1, limit: 108 },
        { permits: 1, limit: 109 },
      ];
      const expected = wanted.map((_, index) => ([0, 2, 4, 6, 8].includes(index) ? 'granted' : 'busy'));
      expect(outcomesOf(await shared.acquire(wanted.map((each) => sharing(name, each))))).toEqual(expected);
      const another = fresh('limits');
      const answers: AcquireAnswer[] = [];
      for (const each of wanted) answers.push(await tryToShare(another, each));
      expect(outcomesOf(answers)).toEqual(expected);
      for (const lockName of [name, another])
        expect((await look(lockName)).sharing).toEqual({ holders: 5, permits: 109, limits: [3, 8, 10, 109] });
    });

    it('is decided by itself for each lock of a batch, and in order for each', async () => {
      const [one, other] = [fresh('mixed'), fresh('mixed')];
      const limit = 2;
      const wanted = [one, other, one, other, one, other].map((lockName, index) =>
        sharing(lockName, { limit, permits: lockName === other && index < 2 ? 2 : 1 }),
      );
      const answers = await shared.acquire(wanted);
      expect(outcomesOf(answers)).toEqual(['granted', 'granted', 'granted', 'busy', 'busy', 'busy']);
      expect(
        answers.map((answer) => (answer.outcome === 'busy' ? answer.holder.lockName : undefined)),
      ).toEqual([undefined, undefined, undefined, other, one, other]);
    });

    it('that does not fit names the newest who has the lock, and tells when the first of them ends', async () => {
      const name = fresh('full');
      await share(store, name, { limit: 2, workerName: 'ann' });
      const newest = await share(store, name, { limit: 2, workerName: 'bob', ttl: 5 * HOUR });
      const refused = await tryToShare(name, { limit: 2 });
      expect(refused).toMatchObject({
        outcome: 'busy',
        holder: {
          lockName: name,
          workerName: 'bob',
          grantId: SHARED_GRANT,
          lockTime: newest.lockTime,
          expireTime: newest.expireTime,
        },
      });
      if (refused.outcome !== 'busy') throw new Error('not busy');
      expect(refused.holder).not.toHaveProperty('fencingToken');
      expect(refused.holder.timeLeft).toBeLessThanOrEqual(HOUR);
      expect(refused.holder.timeLeft).toBeGreaterThan(HOUR / 2);
    });

    it('that does not fit beside those of its batch names the newest of them', async () => {
      const [, , refused] = await shared.acquire(
        ['ann', 'bob', 'eve'].map((workerName, _, { length }) =>
          sharing(`full of ${length}`, { workerName, limit: 2 }),
        ),
      );
      expect(refused).toMatchObject({
        outcome: 'busy',
        holder: { workerName: 'bob', grantId: SHARED_GRANT },
      });
    });
  });

  describe('a repeat', () => {
    it('gets the same lease, whatever else it asks for, and takes no second permit', async () => {
      const request = sharing(fresh('repeat'), { permits: 2, limit: 3, metadata: { first: true } });
      const [first] = leasesOf(await shared.acquire([request]));
      const [answer] = await shared.acquire([
        {
          ...request,
          ttl: 2 * HOUR,
          workerName: 'somebody else',
          metadata: { first: false },
          share: { permits: 1, limit: 1 },
        },
      ]);
      const [again] = leasesOf([answer!]);
      expect(answer).toMatchObject({ repeated: true });
      const { version: _, serverTime: _server, timeLeft: _left, ...same } = first!;
      expect(again).toMatchObject(same);
      expect(again!.version).not.toBe(first!.version);
      expect(await permitsOf(request.lockName)).toBe(2);
    });

    it('in one batch is granted once, wherever it stands', async () => {
      const name = fresh('twins');
      const twin = sharing(name, { limit: 2 });
      const answers = await shared.acquire([
        twin,
        sharing(name, { limit: 2 }),
        twin,
        sharing(name, { limit: 2 }),
        twin,
      ]);
      expect(outcomesOf(answers)).toEqual(['granted', 'granted', 'granted', 'busy', 'granted']);
      expect(answers.map((answer) => answer.outcome === 'granted' && answer.repeated)).toEqual([
        false,
        false,
        true,
        false,
        true,
      ]);
      const tokens = [0, 2, 4].map((index) => leasesOf([answers[index]!])[0]!.fencingToken);
      expect(new Set(tokens).size).toBe(1);
      expect(await permitsOf(name)).toBe(2);
      await shared.release([keyOf(twin)]);
      expect(await permitsOf(name)).toBe(1);
    });

    it('of one that waits and tries in one batch has one lease', async () => {
      const name = fresh('twins');
      const place = await joined(queue, name);
      const answers = await shared.acquire([
        sharing(name, { grantId: place.grantId }),
        sharing(name, { grantId: place.grantId, ticket: place.ticket }),
      ]);
      expect(answers).toMatchObject([
        { outcome: 'granted', repeated: true },
        { outcome: 'granted', repeated: false },
      ]);
      expect((await look(name)).sharing?.holders).toBe(1);
    });

    it('is refused in a batch as its twin is', async () => {
      const name = fresh('twins');
      await share(store, name);
      const twin = sharing(name, { limit: 1 });
      expect(outcomesOf(await shared.acquire([twin, twin]))).toEqual(['busy', 'busy']);
    });

    it('of a lease that has run out is a new one, of a greater token', async () => {
      const request = sharing(fresh('repeat'), { limit: 2, permits: 2 });
      const [first] = leasesOf(await shared.acquire([request]));
      await opened.letPass(HOUR);
      const [answer] = await shared.acquire([request]);
      expect(answer).toMatchObject({ outcome: 'granted', repeated: false });
      expect(leasesOf([answer!])[0]!.fencingToken).toBeGreaterThan(first!.fencingToken - HOUR * 1000);
      expect(await permitsOf(request.lockName)).toBe(2);
    });
  });

  describe('the queue', () => {
    it('goes before the order of the batch, and nobody in it is passed', async () => {
      const name = fresh('queue');
      await share(store, name);
      const first = await joined(queue, name);
      const second = await joined(queue, name);
      const third = await joined(queue, name);
      const small = { permits: 1, limit: 4 };
      const answers = await shared.acquire([
        sharing(name, small),
        sharing(name, { ...third, ...small }),
        sharing(name, { ...second, permits: 3, limit: 4 }),
        sharing(name, { ...first, permits: 2, limit: 4 }),
        sharing(name, { ticket: null, ...small }),
      ]);
      expect(outcomesOf(answers)).toEqual(['busy', 'busy', 'busy', 'granted', 'busy']);
      expect(await permitsOf(name)).toBe(3);
    });

    it('lets in all who fit together, and behind them those who have no place yet', async () => {
      const name = fresh('queue');
      const places = [await joined(queue, name), await joined(queue, name)];
      const answers = await shared.acquire([
        sharing(name, { limit: 3 }),
        sharing(name, { limit: 3, ticket: null }),
        ...places.map((place) => sharing(name, { ...place, limit: 3 })),
      ]);
      expect(outcomesOf(answers)).toEqual(['busy', 'granted', 'granted', 'granted']);
      expect(await workersIn(name)).toEqual([]);
    });

    it('gives who comes first in it the lower token, wherever it stands in the batch', async () => {
      const name = fresh('queue');
      const waits = await joined(queue, name);
      const answers = await shared.acquire([
        sharing(name, { workerName: 'tries', permits: 2 }),
        sharing(name, { ...waits, limit: 2 }),
        sharing(name, { workerName: 'is refused', limit: 2 }),
      ]);
      expect(answers).toMatchObject([
        { outcome: 'granted' },
        { outcome: 'granted' },
        { outcome: 'busy', holder: { workerName: 'tries' } },
      ]);
      const [tries, first] = leasesOf(answers.slice(0, 2));
      expect(first!.fencingToken).toBeLessThan(tries!.fencingToken);
      expect(await look(name)).toMatchObject({ workerName: 'tries', fencingToken: tries!.fencingToken });
    });

    it.each(['alone', 'in shared mode'])('keeps its order where the first wants the lock %s', async (how) => {
      const name = fresh('queue');
      await share(store, name, { workerName: 'ann' });
      const wants = how === 'alone' ? undefined : { permits: 9, limit: 9 };
      const waits = await joined(queue, name, { share: wants });
      const behind = await joined(queue, name, { share: { permits: 1, limit: null } });
      const busy = { outcome: 'busy', holder: { workerName: 'ann', grantId: SHARED_GRANT } };
      expect(await tryToShare(name)).toMatchObject(busy);
      expect(await tryToShare(name, { ticket: null })).toMatchObject(busy);
      expect(await tryToShare(name, behind)).toMatchObject(busy);
      expect(await tryToShare(name, { ticket: waits.ticket - 1 })).toMatchObject({ outcome: 'granted' });
      expect(await workersIn(name)).toEqual(['waiter', 'waiter']);
      if (wants) {
        const others = await shared.acquire([sharing(name, { ...waits, ...wants }), sharing(name, behind)]);
        expect(outcomesOf(others)).toEqual(['busy', 'busy']);
      }
      await queue.leave([waits]);
      expect(await tryToShare(name, behind)).toMatchObject({ outcome: 'granted' });
      expect(await workersIn(name)).toEqual([]);
    });

    it('is left by who gets the lock, also again', async () => {
      const place = await joined(queue, fresh('queue'));
      const { lockName } = place;
      await shared.acquire([sharing(lockName, place)]);
      expect(await workersIn(lockName)).toEqual([]);
      await joined(queue, lockName, { grantId: place.grantId });
      expect(await tryToShare(lockName, place)).toMatchObject({ outcome: 'granted', repeated: true });
      expect(await workersIn(lockName)).toEqual([]);
    });

    it('is of one lock: who waits for it and asks for another one is not passed', async () => {
      const name = fresh('queue');
      await share(store, name);
      const waits = await joined(queue, name, { share: { permits: 1, limit: 1 } });
      const answers = await shared.acquire([
        sharing(fresh('another'), { grantId: waits.grantId }),
        sharing(name),
      ]);
      expect(outcomesOf(answers)).toEqual(['granted', 'busy']);
    });

    it('knows no dead ones', async () => {
      const name = fresh('queue');
      await share(store, name);
      await joined(queue, name);
      await opened.letPass(ALIVE);
      expect(await tryToShare(name)).toMatchObject({ outcome: 'granted', next: null });
    });

    it('tells what each one waits for', async () => {
      const name = fresh('queue');
      await share(store, name);
      await joined(queue, name, { workerName: 'ann' });
      await joined(queue, name, { workerName: 'bob', share: { permits: 2, limit: 7 } });
      await joined(queue, name, { workerName: 'eve', share: { permits: 3, limit: null } });
      const queued = (await look(name)).queue.map(({ workerName, share: wanted }) => [workerName, wanted]);
      expect(queued).toEqual([
        ['ann', undefined],
        ['bob', { permits: 2, limit: 7 }],
        ['eve', { permits: 3, limit: null }],
      ]);
    });

    /** A slow machine may have let the turn pass. */
    const expectKept = (answer: AcquireAnswer, freeTime: Date, first: { grantId: string }) => {
      const end = freeTime.getTime() + TURN;
      if (answer.outcome === 'granted')
        return expect(answer.lease.lockTime.getTime()).toBeGreaterThanOrEqual(end);
      expect(answer).toMatchObject({
        outcome: 'busy',
        holder: { grantId: first.grantId, lockTime: freeTime, expireTime: new Date(end) },
      });
    };

    it.each(['alone', 'shared'])('has a turn when the lock comes free that was %s', async (how) => {
      const name = fresh('turn');
      if (how === 'shared') await shared.release([keyOf(await share(store, name))]);
      else await store.release([await lease(store, name)]);
      const first = await joined(queue, name);
      const freeTime = (await look(name)).expireTime;
      expectKept(await tryToShare(name), freeTime, first);
    });

    it('has its turn no longer than that', async () => {
      const name = fresh('turn');
      await shared.release([keyOf(await share(store, name))]);
      await joined(queue, name);
      await opened.letPass(TURN);
      expect(await tryToShare(name)).toMatchObject({ outcome: 'granted' });
    });

    it('lets its first in at its turn', async () => {
      const first = await joined(queue, fresh('turn'));
      await shared.release([keyOf(await share(store, first.lockName, { ticket: first.ticket - 1 }))]);
      expect(await tryToShare(first.lockName, first)).toMatchObject({ outcome: 'granted' });
    });
  });

  describe('who is next', () => {
    const waits = (lockName: string, wanted?: SharedRequest['share']) =>
      joined(queue, lockName, { server: OTHER_SERVER, share: wanted });

    it('after a grant is the first who fits beside it', async () => {
      const name = fresh('next');
      const before = await share(store, name);
      const asks = await joined(queue, name);
      const first = await waits(name, { permits: 2, limit: 4 });
      expect(await tryToShare(name, { ...asks, limit: 4 })).toMatchObject({
        outcome: 'granted',
        next: { server: OTHER_SERVER, grantId: first.grantId },
      });
      expect(before.share).toEqual({ permits: 1, limit: null });
    });

    it.each([
      ['does not fit', { permits: 2, limit: 3 }],
      ['wants the lock alone', undefined],
    ])('after a grant is nobody where the first %s', async (_, wanted) => {
      const name = fresh('next');
      await share(store, name);
      const asks = await joined(queue, name);
      await waits(name, wanted);
      expect(await tryToShare(name, asks)).toMatchObject({ outcome: 'granted', next: null });
    });

    it('after a release is the first, but one who wants the lock alone only after the last', async () => {
      const name = fresh('next');
      const leases = leasesOf(await shared.acquire([1, 2, 3].map(() => sharing(name))));
      const alone = await waits(name);
      const next = { server: OTHER_SERVER, grantId: alone.grantId };
      expect(await shared.release([keyOf(leases[0]!)])).toMatchObject([{ outcome: 'released', next: null }]);
      const last = await shared.release(leases.slice(1).map(keyOf));
      expect(last.map(({ outcome }) => outcome)).toEqual(['released', 'released']);
      expect(last.at(-1)).toMatchObject({ next });
    });

    it('after a release is one who wants to share the lock, at once', async () => {
      const name = fresh('next');
      const [one, other] = leasesOf(await shared.acquire([sharing(name), sharing(name)]));
      await joined(queue, name, { grantId: one!.grantId });
      const first = await waits(name, { permits: 1, limit: 2 });
      await waits(name);
      const next = { server: OTHER_SERVER, grantId: first.grantId };
      expect(await shared.release([keyOf(one!)])).toMatchObject([{ next }]);
      expect(await shared.release([keyOf(other!)])).toMatchObject([
        { next: expect.objectContaining({ server: SERVER }) },
      ]);
    });
  });

  describe('a renewal', () => {
    it('never shortens a lease, and tells all of it', async () => {
      const held = await share(store, fresh('renew'), { permits: 2, limit: 4, metadata: { a: [1, null] } });
      const { lockName, grantId, workerName, fencingToken, lockTime, expireTime, metadata } = held;
      const [answer] = await shared.renew([renewal(held, { ttl: 1_000 })]);
      expect(answer).toMatchObject({
        outcome: 'renewed',
        lease: {
          lockName,
          grantId,
          workerName,
          fencingToken,
          lockTime,
          expireTime,
          metadata,
          share: { permits: 2, limit: 4 },
        },
      });
      if (answer?.outcome === 'renewed') expect(answer.lease.version).not.toBe(held.version);
    });

    it('keeps the lock from others for as long', async () => {
      const name = fresh('renew');
      const held = await share(store, name, { limit: 1 });
      await share(store, name, { ttl: MINUTE });
      await shared.renew([renewal(held), renewal(held, { ttl: 3 * HOUR }), renewal(held)]);
      await opened.letPass(2 * HOUR + MINUTE);
      expect(await tryAlone(name)).toMatchObject({ outcome: 'busy' });
      expect(await tryToShare(name, { limit: 1 })).toMatchObject({ outcome: 'busy' });
      expect((await look(name)).sharing?.holders).toBe(1);
      await opened.letPass(HOUR);
      expect(await tryAlone(name)).toMatchObject({ outcome: 'granted' });
    });

    it('of a lease that its holder knows is that of its token only', async () => {
      const held = await share(store, fresh('renew'));
      const { workerName, fencingToken, lockTime } = held;
      const answers = await shared.renew([
        renewal(held, { held: { workerName, lockTime, fencingToken: fencingToken - 1 } }),
        renewal(held, { held: { workerName, lockTime, fencingToken } }),
      ]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['lost', 'renewed']);
    });

    it('of what has run out, was released or never was is lost, and spares the others', async () => {
      const name = fresh('renew');
      await share(store, name, { ttl: 2 * HOUR });
      const expired = await share(store, name);
      const ended = await share(store, name, { ttl: 2 * HOUR });
      await shared.release([keyOf(ended)]);
      await opened.letPass(HOUR);
      const gone = [expired, ended, sharing(name), sharing(fresh('never'))];
      expect(await shared.renew(gone.map((each) => renewal(each)))).toEqual(
        gone.map(() => expect.objectContaining({ outcome: 'lost' })),
      );
      expect((await look(name)).sharing?.holders).toBe(1);
    });
  });

  describe('each mode', () => {
    it('knows nothing of leases in the other one', async () => {
      const alone = await lease(store, fresh('mode'));
      const beside = await share(store, fresh('mode'));
      for (const [locks, other] of [
        [store, beside],
        [shared, alone],
      ] as const) {
        expect(await locks.renew([renewal(other)])).toMatchObject([{ outcome: 'lost' }]);
        expect(await locks.release([keyOf(other)])).toMatchObject([{ outcome: 'lost' }]);
      }
      for (const { lockName } of [alone, beside])
        expect(await look(lockName)).toMatchObject({ state: 'held' });
    });

    it('is released by a worker name only where that worker has the lock alone', async () => {
      const { lockName, workerName } = await share(store, fresh('mode'));
      expect(await store.release([{ lockName, workerName }])).toMatchObject([{ outcome: 'lost' }]);
      expect(await look(lockName)).toMatchObject({ state: 'held', sharing: { holders: 1 } });
    });
  });

  describe('a release', () => {
    it('gives back the permits of that lease only, and the lock with the last', async () => {
      const name = fresh('release');
      const [one, other] = leasesOf(
        await shared.acquire([
          sharing(name, { permits: 2, limit: 5, workerName: 'ann', metadata: { a: 1 } }),
          sharing(name, { permits: 3, limit: 5, workerName: 'bob' }),
        ]),
      );
      expect(await shared.release([keyOf(other!)])).toEqual([
        { outcome: 'released', grantId: other!.grantId, next: null, serverTime: expect.any(Date) },
      ]);
      expect(await look(name)).toMatchObject({
        state: 'held',
        workerName: 'ann',
        lockTime: one!.lockTime,
        metadata: { a: 1 },
        fencingToken: other!.fencingToken,
        sharing: { holders: 1, permits: 2, limits: [5] },
      });
      expect(await tryToShare(name, { permits: 4, limit: 5 })).toMatchObject({ outcome: 'busy' });
      const third = await share(store, name, { permits: 3, limit: 5 });
      await shared.release([keyOf(third), keyOf(one!)]);
      const free = await look(name);
      expect(free).toMatchObject({ state: 'released', workerName: null, metadata: null, holders: [] });
      expect(free.sharing).toBeUndefined();
    });

    it('twice in a batch ends it once, and again it is lost', async () => {
      const held = await share(store, fresh('release'));
      const answers = await shared.release([keyOf(held), keyOf(held)]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['released', 'lost']);
      expect(await shared.release([keyOf(held)])).toEqual([
        { outcome: 'lost', serverTime: expect.any(Date) },
      ]);
    });

    it('shortens how long the lock is kept, to the longest of those who are left', async () => {
      const name = fresh('release');
      const long = await share(store, name, { ttl: 5 * HOUR });
      const { expireTime } = await share(store, name);
      await shared.release([keyOf(long)]);
      expect(await look(name)).toMatchObject({ expireTime });
      await opened.letPass(HOUR);
      expect(await tryAlone(name)).toMatchObject({ outcome: 'granted' });
    });

    it('by version ends the lease as it was granted, and nothing in another version', async () => {
      const { lockName, grantId, version } = await share(store, fresh('version'));
      for (const other of ['never', '', ' 1', '-1', `${version}0`, ` ${version}`])
        for (const minHold of [0, 1])
          expect(await shared.release([{ lockName, grantId, version: other, minHold }])).toMatchObject([
            { outcome: 'lost' },
          ]);
      expect(await shared.release([{ lockName, grantId, version }])).toMatchObject([{ outcome: 'released' }]);
    });

    it.each(['repeat', 'renewal', 'end and a new lease'])(
      'by version ends nothing after its %s',
      async (event) => {
        const request = sharing(fresh('version'), { ttl: event === 'repeat' ? HOUR : 2 * HOUR });
        const { lockName, grantId } = request;
        await share(store, lockName, { ttl: 9 * HOUR });
        const [first] = leasesOf(await shared.acquire([request]));
        if (event === 'renewal') await shared.renew([renewal(request)]);
        else {
          if (event !== 'repeat') await opened.letPass(2 * HOUR);
          await shared.acquire([request]);
        }
        expect(await shared.release([{ lockName, grantId, version: first!.version }])).toMatchObject([
          { outcome: 'lost' },
        ]);
        expect((await look(lockName)).sharing?.holders).toBe(2);
      },
    );
  });

  describe('minHold', () => {
    it('keeps the permits, and no others, until so long after the start of the lease', async () => {
      const name = fresh('hold');
      const held = await share(store, name, { permits: 2, limit: 3, ttl: 2 * HOUR, metadata: { a: 1 } });
      const { lockName, grantId, lockTime } = held;
      expect(await shared.release([{ lockName, grantId, minHold: HOUR }])).toMatchObject([
        { outcome: 'released', grantId },
      ]);
      const expireTime = new Date(lockTime.getTime() + HOUR);
      expect(await look(name)).toMatchObject({
        state: 'held',
        workerName: 'worker',
        fencingToken: held.fencingToken,
        expireTime,
        metadata: { a: 1 },
        sharing: { holders: 1, permits: 2, limits: [3] },
      });
      expect(await tryAlone(name)).toMatchObject({ outcome: 'busy', holder: { expireTime } });
      expect(await tryToShare(name, { permits: 2, limit: 3 })).toMatchObject({ outcome: 'busy' });
      const beside = await share(store, name, { limit: 3, ttl: MINUTE });
      await shared.release([keyOf(beside)]);
      expect(await shared.release([keyOf(held)])).toMatchObject([{ outcome: 'lost' }]);
      expect(await shared.renew([renewal(held)])).toMatchObject([{ outcome: 'lost' }]);
      await opened.letPass(HOUR);
      expect(await tryToShare(name, { permits: 3, limit: 3 })).toMatchObject({
        outcome: 'granted',
        alsoExpired: undefined,
      });
    });

    it('of a lease that is older frees its permits at once', async () => {
      const { lockName, grantId } = await share(store, fresh('hold'));
      await opened.letPass(MINUTE);
      await shared.release([{ lockName, grantId, minHold: MINUTE }]);
      expect(await look(lockName)).toMatchObject({ state: 'released' });
    });

    it('lets its holder ask again, for permits of their own', async () => {
      const request = sharing(fresh('hold'), { limit: 2 });
      const [first] = leasesOf(await shared.acquire([request]));
      await shared.release([{ ...request, minHold: HOUR }]);
      const [again] = await shared.acquire([request]);
      expect(again).toMatchObject({ outcome: 'granted', repeated: false });
      expect(leasesOf([again!])[0]!.fencingToken).toBeGreaterThan(first!.fencingToken);
      expect(await permitsOf(request.lockName)).toBe(2);
      expect(await tryToShare(request.lockName, { limit: 2 })).toMatchObject({ outcome: 'busy' });
    });

    it('may end another lease later than that', async () => {
      const name = fresh('hold');
      const short = await share(store, name, { ttl: MINUTE });
      const other = await share(store, name, { ttl: 30 * MINUTE });
      await shared.release([{ ...short, minHold: HOUR }]);
      await opened.letPass(45 * MINUTE);
      expect(await look(name)).toMatchObject({ state: 'held', sharing: { holders: 1 } });
      expect(await shared.renew([renewal(other)])).toMatchObject([{ outcome: 'lost' }]);
    });
  });

  describe('a lease that has run out', () => {
    it('has given its permits back, and is told of with the next grant, once', async () => {
      const name = fresh('expired');
      await share(store, name, { workerName: 'long', ttl: 5 * HOUR });
      const dead = leasesOf(
        await shared.acquire(['ann', 'bob'].map((workerName) => sharing(name, { workerName, permits: 2 }))),
      );
      const ended = await share(store, name, { workerName: 'released' });
      await shared.release([keyOf(ended)]);
      await opened.letPass(HOUR);
      expect((await look(name)).holders).toMatchObject([{ workerName: 'long' }]);
      const answers = await shared.acquire([sharing(name, { limit: 3 }), sharing(name, { limit: 3 })]);
      expect(leasesOf(answers)).toHaveLength(2);
      const [first, second] = answers as Array<Extract<AcquireAnswer, { outcome: 'granted' }>>;
      const told = [...(first!.alsoExpired ?? [])].toSorted(
        (one, other) => one.fencingToken - other.fencingToken,
      );
      expect(told).toMatchObject([
        { lockName: name, workerName: 'ann' },
        { lockName: name, workerName: 'bob' },
      ]);
      expect(told[1]!.fencingToken - told[0]!.fencingToken).toBe(
        dead[1]!.fencingToken - dead[0]!.fencingToken,
      );
      expect(second!.alsoExpired).toBeUndefined();
      expect(await tryToShare(name)).toMatchObject({ outcome: 'granted', alsoExpired: undefined });
    });

    it('is told of where none other is left, too, and by who takes the lock alone', async () => {
      const [one, other] = [fresh('expired'), fresh('expired')];
      for (const name of [one, other]) await share(store, name, { workerName: 'ann' });
      await opened.letPass(HOUR);
      expect(await look(one)).toMatchObject({ state: 'expired', workerName: 'ann', holders: [] });
      expect((await look(one)).sharing).toBeUndefined();
      expect(await tryToShare(one)).toMatchObject({
        outcome: 'granted',
        alsoExpired: [{ workerName: 'ann' }],
      });
      expect(await tryAlone(other)).toMatchObject({ outcome: 'granted', expired: { workerName: 'ann' } });
    });

    it('of one who had the lock alone is told of by who shares it', async () => {
      const { lockName } = await lease(store, fresh('expired'), { workerName: 'ann' });
      await opened.letPass(HOUR);
      expect(await tryToShare(lockName)).toMatchObject({
        outcome: 'granted',
        alsoExpired: [{ lockName, workerName: 'ann' }],
      });
    });
  });

  describe('a downgrade', () => {
    const down = (
      lockName: string,
      grantId: string,
      { permits = 1, limit = null as number | null } = {},
    ) => ({
      lockName,
      grantId,
      share: { permits, limit },
    });

    it('keeps the lock and its end, takes a new token, and lets others in beside it', async () => {
      const held = await lease(store, fresh('downgrade'), { metadata: { a: 1 }, workerName: 'ann' });
      const { lockName, grantId, workerName, lockTime, expireTime, metadata } = held;
      const [answer] = await shared.downgrade([down(lockName, grantId, { permits: 2, limit: 3 })]);
      expect(answer).toMatchObject({
        outcome: 'downgraded',
        repeated: false,
        next: null,
        lease: {
          lockName,
          grantId,
          workerName,
          lockTime,
          expireTime,
          metadata,
          share: { permits: 2, limit: 3 },
          version: expect.any(String),
        },
      });
      if (answer?.outcome !== 'downgraded') throw new Error('not downgraded');
      expect(answer.lease.fencingToken).toBeGreaterThan(held.fencingToken);
      expect(await look(lockName)).toMatchObject({
        state: 'held',
        workerName,
        lockTime,
        expireTime,
        metadata,
        fencingToken: answer.lease.fencingToken,
        sharing: { holders: 1, permits: 2, limits: [3] },
      });
      expect(await store.renew([renewal(held)])).toMatchObject([{ outcome: 'lost' }]);
      expect(await store.release([keyOf(held)])).toMatchObject([{ outcome: 'lost' }]);
      expect(await tryAlone(lockName)).toMatchObject({ outcome: 'busy' });
      expect(await tryToShare(lockName, { permits: 2, limit: 3 })).toMatchObject({ outcome: 'busy' });
      expect((await share(store, lockName, { limit: 3 })).fencingToken).toBeGreaterThan(
        answer.lease.fencingToken,
      );
      expect(await shared.renew([renewal(held)])).toMatchObject([{ outcome: 'renewed' }]);
      expect(await shared.release([{ lockName, grantId }])).toMatchObject([{ outcome: 'released' }]);
    });

    it('again, or of a lease in shared mode, changes nothing', async () => {
      const { lockName, grantId } = await lease(store, fresh('downgrade'));
      const [first] = await shared.downgrade([down(lockName, grantId)]);
      const [again] = await shared.downgrade([down(lockName, grantId, { permits: 9 })]);
      if (first?.outcome !== 'downgraded' || again?.outcome !== 'downgraded')
        throw new Error('not downgraded');
      expect(again).toMatchObject({ repeated: true, next: null });
      const { version, serverTime: _, timeLeft: _left, ...same } = first.lease;
      expect(again.lease).toMatchObject(same);
      expect(again.lease.version).not.toBe(version);
      expect(await permitsOf(lockName)).toBe(1);
      const reader = await share(store, lockName);
      expect(await shared.downgrade([down(lockName, reader.grantId)])).toMatchObject([
        { outcome: 'downgraded', repeated: true, lease: { fencingToken: reader.fencingToken } },
      ]);
    });

    it('of what is over, or somebody else has, is lost', async () => {
      const ended = await lease(store, fresh('downgrade'));
      await store.release([ended]);
      const kept = await lease(store, fresh('downgrade'));
      await store.release([{ ...kept, minHold: HOUR }]);
      const expired = await lease(store, fresh('downgrade'), { ttl: MINUTE });
      await opened.letPass(MINUTE);
      const others = await lease(store, fresh('downgrade'));
      const gone = [ended, kept, expired, { ...others, grantId: randomUUID() }, acquisition(fresh('never'))];
      expect(await shared.downgrade(gone.map(({ lockName, grantId }) => down(lockName, grantId)))).toEqual(
        gone.map(() => expect.objectContaining({ outcome: 'lost' })),
      );
      expect((await look(others.lockName)).sharing).toBeUndefined();
    });

    it('of several locks is answered one by one', async () => {
      const held = await lease(store, fresh('downgrade'));
      const other = await lease(store, fresh('downgrade'));
      const answers = await shared.downgrade([
        down(held.lockName, held.grantId),
        down(fresh('never'), held.grantId),
        down(other.lockName, other.grantId),
      ]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['downgraded', 'lost', 'downgraded']);
    });

    it('tells of the first who waits, where that one may share the lock', async () => {
      for (const wanted of [{ permits: 1, limit: 2 }, undefined]) {
        const { lockName, grantId } = await lease(store, fresh('downgrade'));
        const first = await joined(queue, lockName, { server: OTHER_SERVER, share: wanted });
        await joined(queue, lockName, { share: { permits: 1, limit: 2 } });
        const next = wanted ? { server: OTHER_SERVER, grantId: first.grantId } : null;
        expect(await shared.downgrade([down(lockName, grantId)])).toMatchObject([{ next }]);
      }
    });
  });

  describe('a set', () => {
    const setOf = (...wanted: Array<Parameters<typeof sharing> | [lockName: string, alone: 'alone']>) => {
      const grantId = randomUUID();
      return wanted.map(([lockName, options]) =>
        options === 'alone' ? acquisition(lockName, { grantId }) : sharing(lockName, { ...options, grantId }),
      );
    };

    it('of mixed modes is granted whole, in the order of the request', async () => {
      const set = setOf([fresh('z'), { permits: 2, limit: 3 }], [fresh('a'), 'alone'], [fresh('m')]);
      const answer = await store.acquireSet(set);
      expect(answer).toMatchObject({ outcome: 'granted', repeated: false, expired: [] });
      if (answer.outcome !== 'granted') throw new Error('refused');
      expect(answer.leases.map(({ lockName, share: taken }) => [lockName, taken])).toEqual(
        set.map(({ lockName, share: taken }) => [lockName, taken]),
      );
      expect(await permitsOf(set[0]!.lockName)).toBe(2);
      expect(await tryAlone(set[2]!.lockName)).toMatchObject({ outcome: 'busy' });
      expect(await tryToShare(set[1]!.lockName)).toMatchObject({ outcome: 'busy' });
      expect(await tryToShare(set[2]!.lockName)).toMatchObject({ outcome: 'granted' });
    });

    it.each(['one that is full', 'one that somebody has alone', 'one that is shared and wanted alone'])(
      'is not granted at all for %s',
      async (why) => {
        const taken = fresh('set');
        if (why === 'one that somebody has alone') await lease(store, taken, { workerName: 'ann' });
        else await share(store, taken, { workerName: 'ann' });
        const free = fresh('set');
        const also = fresh('set');
        const wanted = why === 'one that is shared and wanted alone' ? ('alone' as const) : { limit: 1 };
        const set = setOf([free], [taken, wanted as 'alone'], [also, 'alone']);
        expect(await store.acquireSet(set)).toMatchObject({
          outcome: 'busy',
          holder: { lockName: taken, workerName: 'ann' },
        });
        expect(await store.inspect([free, also])).toEqual([null, null]);
        expect((await look(taken)).sharing?.holders).toBe(
          why === 'one that somebody has alone' ? undefined : 1,
        );
      },
    );

    it('passes nobody who waits for one of it', async () => {
      const name = fresh('set');
      await share(store, name, { workerName: 'ann' });
      await joined(queue, name);
      expect(await store.acquireSet(setOf([fresh('set')], [name]))).toMatchObject({
        outcome: 'busy',
        holder: { lockName: name, workerName: 'ann' },
      });
    });

    it('is a repeat only where all of it are, and takes no second permit', async () => {
      const set = setOf([fresh('set'), { limit: 1 }], [fresh('set'), 'alone']);
      const first = await store.acquireSet(set);
      const again = await store.acquireSet(set);
      if (first.outcome !== 'granted' || again.outcome !== 'granted') throw new Error('refused');
      expect(again.repeated).toBe(true);
      expect(again.leases.map(({ fencingToken }) => fencingToken)).toEqual(
        first.leases.map(({ fencingToken }) => fencingToken),
      );
      expect(await permitsOf(set[0]!.lockName)).toBe(1);
      await shared.release([keyOf(set[0]!)]);
      const half = await store.acquireSet(set);
      if (half.outcome !== 'granted') throw new Error('refused');
      expect(half.repeated).toBe(false);
      expect(half.leases[0]!.fencingToken).toBeGreaterThan(first.leases[0]!.fencingToken);
      expect(half.leases[1]!.fencingToken).toBe(first.leases[1]!.fencingToken);
    });

    it('tells of the leases that were never released, in either mode', async () => {
      const [one, other] = [fresh('set'), fresh('set')];
      await shared.acquire(['ann', 'bob'].map((workerName) => sharing(one, { workerName })));
      await lease(store, other, { workerName: 'eve' });
      await opened.letPass(HOUR);
      const answer = await store.acquireSet(setOf([one], [other]));
      if (answer.outcome !== 'granted') throw new Error('refused');
      expect(answer.expired.map(({ lockName, workerName }) => [lockName, workerName]).toSorted()).toEqual(
        [
          [one, 'ann'],
          [one, 'bob'],
          [other, 'eve'],
        ].toSorted(),
      );
    });

    it('leaves who has got it in no queue of it', async () => {
      const set = setOf([fresh('set')], [fresh('set'), 'alone']);
      for (const { lockName, grantId } of set) await joined(queue, lockName, { grantId });
      const { ticket } = await joined(queue, fresh('set'));
      const waiting = set.map((request) => ({ ...request, ticket }));
      expect(await store.acquireSet(waiting)).toMatchObject({ outcome: 'granted' });
      for (const { lockName } of set) expect(await workersIn(lockName)).toEqual([]);
    });
  });

  it('are inspected: at most a hundred of them, the oldest', async () => {
    const name = fresh('inspect');
    const leases = leasesOf(
      await shared.acquire(
        Array.from({ length: 120 }, (_, index) =>
          sharing(name, { workerName: `worker ${index}`, limit: 200 + (index % 2), metadata: { index } }),
        ),
      ),
    );
    const { holders, sharing: taken, workerName } = await look(name);
    expect(taken).toEqual({ holders: 120, permits: 120, limits: [200, 201] });
    expect(workerName).toBe('worker 119');
    expect(holders).toEqual(
      leases.slice(0, 100).map(({ fencingToken, lockTime, expireTime }, index) => ({
        workerName: `worker ${index}`,
        fencingToken,
        lockTime,
        expireTime,
        metadata: { index },
        share: { permits: 1, limit: 200 + (index % 2) },
      })),
    );
    const alone = await lease(store, fresh('inspect'), { workerName: 'ann' });
    expect(await look(alone.lockName)).toMatchObject({
      holders: [{ workerName: 'ann', fencingToken: alone.fencingToken }],
    });
    expect((await look(alone.lockName)).holders[0]!.share).toBeUndefined();
  });
});

describe.each([...STORES, WITH_SHORTCUTS])('a clock tolerance of shared leases on $name', ({ open }) => {
  const TOLERANCE = MINUTE;
  let opened: OpenStore;
  let store: OpenStore['store'];
  let shared: SharedLocks;

  beforeAll(async () => {
    opened = await open({ clockTolerance: TOLERANCE });
    ({ store } = opened);
    shared = store.shared!;
  });

  afterAll(() => opened.drop());

  it('keeps the permits of one that was not released taken for so long, and no longer', async () => {
    const name = fresh('tolerance');
    const late = await share(store, name, { workerName: 'ann', permits: 2, limit: 3 });
    await opened.letPass(HOUR);
    const [full, beside] = await shared.acquire([
      sharing(name, { permits: 2, limit: 3 }),
      sharing(name, { limit: 3, ttl: 30_000, workerName: 'bob' }),
    ]);
    expect(full).toMatchObject({ outcome: 'busy' });
    expect(beside).toMatchObject({ outcome: 'granted', alsoExpired: undefined });
    const [refused] = await shared.acquire([sharing(name, { limit: 3 })]);
    if (refused?.outcome !== 'busy') throw new Error('not busy');
    expect(refused.holder).toMatchObject({ workerName: 'bob', grantId: SHARED_GRANT });
    expect(refused.holder.timeLeft).toBeGreaterThan(0);
    expect(refused.holder.timeLeft).toBeLessThanOrEqual(TOLERANCE);
    expect((await store.inspect([name]))[0]!.sharing).toEqual({ holders: 1, permits: 1, limits: [3] });
    expect(await shared.renew([renewal(late)])).toMatchObject([{ outcome: 'lost' }]);
    expect(await shared.release([keyOf(late)])).toMatchObject([{ outcome: 'lost' }]);
    await opened.letPass(TOLERANCE);
    expect(await shared.acquire([sharing(name, { permits: 2, limit: 3 })])).toMatchObject([
      { outcome: 'granted', alsoExpired: [{ workerName: 'ann' }] },
    ]);
  });

  it('keeps those out who want the lock alone', async () => {
    const name = fresh('tolerance');
    await share(store, name);
    await opened.letPass(HOUR);
    const [busy] = await store.acquire([acquisition(name)]);
    if (busy?.outcome !== 'busy') throw new Error('not busy');
    expect(busy.holder.timeLeft).toBeGreaterThan(0);
    expect(busy.holder.timeLeft).toBeLessThanOrEqual(TOLERANCE);
    await opened.letPass(TOLERANCE);
    expect(await store.acquire([acquisition(name)])).toMatchObject([{ outcome: 'granted' }]);
  });

  it('does not lengthen a minHold', async () => {
    const name = fresh('tolerance');
    const held = await share(store, name, { limit: 1 });
    await shared.release([{ ...held, minHold: 30_000 }]);
    const [busy] = await shared.acquire([sharing(name, { limit: 1 })]);
    if (busy?.outcome !== 'busy') throw new Error('not busy');
    expect(busy.holder.timeLeft).toBeLessThanOrEqual(30_000);
    await opened.letPass(30_000);
    expect(await shared.acquire([sharing(name, { limit: 1 })])).toMatchObject([{ outcome: 'granted' }]);
  });

  it('counts for a lease that goes on, too, when another one is released', async () => {
    const name = fresh('tolerance');
    await share(store, name, { permits: 2 });
    await opened.letPass(HOUR);
    const other = await share(store, name);
    await shared.release([keyOf(other)]);
    expect(await shared.acquire([sharing(name, { limit: 2 })])).toMatchObject([{ outcome: 'busy' }]);
    expect(await store.acquire([acquisition(name)])).toMatchObject([{ outcome: 'busy' }]);
  });

  it('ends with a force release', async () => {
    const { lockName } = await share(store, fresh('tolerance'), { workerName: 'ann' });
    await opened.letPass(HOUR);
    await opened.desk.clearExpired();
    expect((await store.inspect([lockName]))[0]).toMatchObject({ state: 'expired', workerName: 'ann' });
    expect(await opened.desk.forceRelease([{ lockName, actor: 'eve', reason: 'r' }])).toMatchObject([
      { outcome: 'forced', holders: [{ workerName: 'ann', timeLeft: 0 }] },
    ]);
    expect(await store.acquire([acquisition(lockName)])).toMatchObject([{ outcome: 'granted' }]);
  });
});

describe.each(DATABASES)('an old holder on $name, though the clock is set back,', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];
  let shared: SharedLocks;

  beforeAll(async () => {
    opened = await open();
    ({ store } = opened);
    shared = store.shared!;
  });

  afterAll(() => opened.drop());

  const ANN = { actor: 'ann', reason: 'r' };

  /** What ends the time in which a lock was shared, of which leases have run out. */
  const ENDS = {
    'an exclusive lease': async (lockName: string) => {
      await store.release([await lease(store, lockName)]);
    },
    'an exclusive lease that became a shared one': async (lockName: string) => {
      const { grantId } = await lease(store, lockName);
      await shared.downgrade([{ lockName, grantId, share: { permits: 1, limit: null } }]);
      await shared.release([{ lockName, grantId }]);
    },
    'a lease that an operator took': async (lockName: string) => {
      const answer = await opened.desk.hold({ ...acquisition(lockName), ...ANN });
      if (answer.outcome === 'held') await store.release([answer.lease]);
    },
    'a clean-up': async () => {
      await opened.desk.clearExpired();
    },
    'the removal of idle locks': async (lockName: string) => {
      await store.removeIdle(MINUTE);
      expect(await store.inspect([lockName])).toEqual([null]);
    },
    'the removal of released locks': async (lockName: string) => {
      await opened.desk.clearExpired();
      expect(await opened.desk.deleteReleased([lockName], 'ann')).toEqual([lockName]);
    },
    nothing: async () => undefined,
  };

  it.each(Object.keys(ENDS) as Array<keyof typeof ENDS>)(
    'does not come to life again with a shared lease after %s',
    async (end) => {
      const name = fresh('era');
      const old = leasesOf(await shared.acquire([sharing(name, { permits: 3 }), sharing(name)]));
      await opened.letPass(2 * HOUR);
      await ENDS[end](name);
      const { grantId } = await share(store, name, { limit: 1 });
      await opened.letPass(-2 * HOUR);
      for (const dead of old) {
        expect(await shared.renew([renewal(dead)])).toMatchObject([{ outcome: 'lost' }]);
        expect(await shared.release([keyOf(dead)])).toMatchObject([{ outcome: 'lost' }]);
      }
      expect((await store.inspect([name]))[0]!.sharing).toEqual({ holders: 1, permits: 1, limits: [1] });
      await shared.release([{ lockName: name, grantId }]);
      expect(await store.acquire([acquisition(name)])).toMatchObject([{ outcome: 'granted' }]);
    },
  );

  it('does not live beside a lease that was granted since', async () => {
    const name = fresh('era');
    const old = await share(store, name, { limit: 2 });
    await share(store, name, { limit: 2, ttl: 9 * HOUR });
    await opened.letPass(2 * HOUR);
    await share(store, name, { limit: 2 });
    await opened.letPass(-2 * HOUR);
    expect(await shared.renew([renewal(old)])).toMatchObject([{ outcome: 'lost' }]);
    expect((await store.inspect([name]))[0]!.sharing?.permits).toBe(2);
  });

  it('does not count while somebody has the lock alone', async () => {
    const name = fresh('era');
    const old = await share(store, name);
    await opened.letPass(2 * HOUR);
    const alone = await lease(store, name, { workerName: 'bob' });
    await opened.letPass(-2 * HOUR);
    expect(await shared.renew([renewal(old)])).toMatchObject([{ outcome: 'lost' }]);
    expect(await shared.release([keyOf(old)])).toMatchObject([{ outcome: 'lost' }]);
    expect(await shared.acquire([sharing(name, { grantId: old.grantId })])).toMatchObject([
      { outcome: 'busy', holder: { workerName: 'bob' } },
    ]);
    const [look] = await store.inspect([name]);
    expect(look).toMatchObject({ holders: [{ workerName: 'bob', fencingToken: expect.any(Number) }] });
    expect(look!.sharing).toBeUndefined();
    expect(await store.release([keyOf(alone)])).toMatchObject([{ outcome: 'released' }]);
  });
});

/** Those that notify nobody of what others free. */
const LOOKED_AT = STORES.filter(({ name }) => name !== 'memory' && name !== 'PostgreSQL');

describe.each(LOOKED_AT)('a shared lock that is looked out for on $name', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];

  beforeAll(async () => {
    opened = await open({ clockTolerance: MINUTE });
    ({ store } = opened);
  });

  afterAll(() => opened.drop());

  /** After somebody else has written. */
  async function freed(lockName: string, server: string): Promise<readonly string[]> {
    await opened.letPass(0);
    return opened.queue.freed!(server, [lockName, fresh('never')]);
  }

  it('has room for the first of its queue, on that one’s server', async () => {
    const name = fresh('freed');
    await share(store, name, { permits: 2 });
    await joined(opened.queue, name, { share: { permits: 3, limit: 5 } });
    await joined(opened.queue, name, { server: OTHER_SERVER, share: { permits: 1, limit: null } });
    expect(await freed(name, SERVER)).toEqual([name]);
    expect(await freed(name, OTHER_SERVER)).toEqual([]);
  });

  it('has room for one without a limit', async () => {
    const name = fresh('freed');
    await share(store, name, { permits: 2 });
    await joined(opened.queue, name, { share: { permits: 3, limit: null } });
    expect(await freed(name, SERVER)).toEqual([name]);
  });

  it.each([
    ['does not fit', { permits: 3, limit: 4 }],
    ['wants the lock alone', undefined],
  ])('has no room where the first %s', async (_, wanted) => {
    const name = fresh('freed');
    await share(store, name, { permits: 2 });
    await joined(opened.queue, name, { share: wanted });
    await joined(opened.queue, name, { share: { permits: 1, limit: null } });
    expect(await freed(name, SERVER)).toEqual([]);
  });

  it('has no room for nobody, and for the dead', async () => {
    const name = fresh('freed');
    await share(store, name);
    expect(await freed(name, SERVER)).toEqual([]);
    await joined(opened.queue, name, { share: { permits: 1, limit: null } });
    await opened.letPass(ALIVE);
    expect(await freed(name, SERVER)).toEqual([]);
  });

  it('has the permits of a lease that ran out taken for the clock tolerance', async () => {
    const name = fresh('freed');
    await share(store, name, { permits: 2 });
    await opened.letPass(HOUR);
    const wanted = { permits: 3, limit: 4 };
    await joined(opened.queue, name, { share: wanted });
    expect(await freed(name, SERVER)).toEqual([]);
    await share(store, name, { ticket: 1, ttl: 9 * HOUR });
    await opened.letPass(MINUTE);
    await joined(opened.queue, name, { share: wanted });
    expect(await freed(name, SERVER)).toEqual([name]);
  });

  it('is told while somebody has it alone to nobody', async () => {
    const { lockName } = await lease(store, fresh('freed'));
    await joined(opened.queue, lockName, { share: { permits: 1, limit: null } });
    expect(await freed(lockName, SERVER)).toEqual([]);
  });
});

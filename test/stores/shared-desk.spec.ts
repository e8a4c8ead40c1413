import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SHARED_GRANT } from '../../libs/db-lock/src/lease/requests.js';
import { MIN_IDLE, type LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import type { SharedLocks } from '../../libs/db-lock/src/store/shared-locks.js';
import {
  acquisition,
  entry,
  fresh,
  HOUR,
  joined,
  keyOf,
  lease,
  OTHER_SERVER,
  renewal,
  shared as share,
  sharing,
} from './requests.js';
import { STORES, type OpenStore } from './stores.js';

const MINUTE = 60_000;

const ANN = { actor: 'ann', reason: 'because' };

/** As the history tells of a grantId. */
const shown = (grantId: string) => `${grantId.slice(0, 8)}…`;

describe.each(STORES)('operators of $name and a shared lock', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];
  let desk: OpenStore['desk'];
  let shared: SharedLocks;

  beforeAll(async () => {
    opened = await open();
    ({ store, desk } = opened);
    shared = store.shared!;
  });

  afterAll(() => opened.drop());

  const historyOf = (lockName: string) => opened.history.of(lockName, { limit: 200 });
  const look = async (lockName: string) => (await store.inspect([lockName]))[0]!;
  const isLive = async (one: LeaseRecord) => {
    const [answer] = await shared.renew([renewal(one)]);
    return answer!.outcome === 'renewed';
  };

  /** A lock that ann, bob and eve share. */
  async function threeOf(lockName: string): Promise<[LeaseRecord, LeaseRecord, LeaseRecord]> {
    return [
      await share(store, lockName, { workerName: 'ann', permits: 2, limit: 9 }),
      await share(store, lockName, { workerName: 'bob', ttl: 3 * HOUR }),
      await share(store, lockName, { workerName: 'eve', metadata: { a: 1 } }),
    ];
  }

  describe('free one of its leases by force', () => {
    it('by its token: the others go on, and so does the token of the lock', async () => {
      const [ann, bob, eve] = await threeOf(fresh('force'));
      const { lockName } = ann;
      const next = await joined(opened.queue, lockName, {
        server: OTHER_SERVER,
        share: { permits: 1, limit: null },
      });
      const [answer] = await desk.forceRelease([{ lockName, ...ANN, fencingToken: ann.fencingToken }]);
      expect(answer).toMatchObject({
        outcome: 'forced',
        holders: [
          {
            lockName,
            workerName: 'ann',
            grantId: ann.grantId,
            fencingToken: ann.fencingToken,
            lockTime: ann.lockTime,
            expireTime: ann.expireTime,
            share: { permits: 2, limit: 9 },
          },
        ],
        next: { server: OTHER_SERVER, grantId: next.grantId },
      });
      expect(answer?.outcome === 'forced' && answer.holders).toHaveLength(1);
      expect(await look(lockName)).toMatchObject({
        state: 'held',
        workerName: 'eve',
        fencingToken: eve.fencingToken,
        sharing: { holders: 2, permits: 2, limits: [] },
      });
      expect(await historyOf(lockName)).toMatchObject([
        {
          event: 'forced',
          workerName: 'ann',
          grantId: shown(ann.grantId),
          fencingToken: ann.fencingToken,
          ...ANN,
          details: { mode: 'shared', permits: 2, limit: 9 },
        },
      ]);
      expect(await Promise.all([ann, bob, eve].map(isLive))).toEqual([false, true, true]);
    });

    it('the newest: the lock is then that of the newest of the others, and kept as long as they last', async () => {
      const [ann, bob, eve] = await threeOf(fresh('force'));
      const { lockName } = ann;
      await desk.forceRelease([
        { lockName, ...ANN, fencingToken: eve.fencingToken },
        { lockName, ...ANN, fencingToken: bob.fencingToken },
      ]);
      expect(await look(lockName)).toMatchObject({
        workerName: 'ann',
        metadata: null,
        lockTime: ann.lockTime,
        expireTime: ann.expireTime,
        fencingToken: eve.fencingToken,
      });
    });

    it('the last: the lock is free, and its token grows', async () => {
      const { lockName, fencingToken } = await share(store, fresh('force'));
      expect(await desk.forceRelease([{ lockName, ...ANN, fencingToken }])).toMatchObject([
        { outcome: 'forced', next: null },
      ]);
      const free = await look(lockName);
      expect(free).toMatchObject({ state: 'released', workerName: null, holders: [] });
      expect(free.fencingToken).toBeGreaterThan(fencingToken);
      expect((await lease(store, lockName)).fencingToken).toBeGreaterThan(free.fencingToken);
    });

    it('unless that token is nobody’s, or not any more', async () => {
      const [ann, , eve] = await threeOf(fresh('force'));
      const { lockName } = ann;
      await shared.release([ann]);
      const answers = await desk.forceRelease([
        { lockName, ...ANN, fencingToken: ann.fencingToken },
        { lockName, ...ANN, fencingToken: eve.fencingToken + 1 },
        { lockName, ...ANN, fencingToken: eve.fencingToken },
        { lockName, ...ANN, fencingToken: eve.fencingToken },
      ]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['changed', 'changed', 'forced', 'changed']);
      expect(await historyOf(lockName)).toHaveLength(1);
    });
  });

  describe('free all of it by force', () => {
    it('and each lease is told, the newest first, and recorded', async () => {
      const leases = await threeOf(fresh('force'));
      const [{ lockName }, , { fencingToken }] = leases;
      const first = await joined(opened.queue, lockName, { server: OTHER_SERVER });
      const [answer] = await desk.forceRelease([{ lockName, ...ANN }]);
      const newestFirst = leases.toReversed();
      expect(answer).toMatchObject({
        outcome: 'forced',
        holders: newestFirst.map(({ workerName, grantId, fencingToken: token }) => ({
          workerName,
          grantId,
          fencingToken: token,
        })),
        next: { server: OTHER_SERVER, grantId: first.grantId },
      });
      const free = await look(lockName);
      expect(free).toMatchObject({ state: 'released', workerName: null, metadata: null, holders: [] });
      expect(free.sharing).toBeUndefined();
      expect(free.fencingToken).toBeGreaterThan(fencingToken);
      const recorded = await historyOf(lockName);
      expect(recorded).toHaveLength(3);
      expect(recorded).toEqual(
        expect.arrayContaining(
          leases.map(({ workerName, fencingToken: token, share: taken }) =>
            expect.objectContaining({
              event: 'forced',
              workerName,
              fencingToken: token,
              ...ANN,
              details: {
                mode: 'shared',
                permits: taken!.permits,
                ...(taken!.limit && { limit: taken!.limit }),
              },
            }),
          ),
        ),
      );
      expect(await desk.forceRelease([{ lockName, ...ANN }])).toEqual([{ outcome: 'free' }]);
    });

    it('and none comes back, also not beside a later lease', async () => {
      const leases = await threeOf(fresh('force'));
      const { lockName } = leases[0];
      await desk.forceRelease([{ lockName, ...ANN }]);
      expect(await Promise.all(leases.map(isLive))).toEqual([false, false, false]);
      const later = await share(store, lockName, { limit: 1 });
      expect(await Promise.all(leases.map(isLive))).toEqual([false, false, false]);
      expect((await look(lockName)).sharing).toEqual({ holders: 1, permits: 1, limits: [1] });
      expect(later.fencingToken).toBeGreaterThan(leases[2].fencingToken);
    });

    it('and of permits that stay taken after a release', async () => {
      const held = await share(store, fresh('force'), { workerName: 'bob' });
      const { lockName } = held;
      await shared.release([{ ...held, minHold: HOUR }]);
      expect(await desk.forceRelease([{ lockName, ...ANN }])).toMatchObject([
        { outcome: 'forced', holders: [{ workerName: 'bob', fencingToken: held.fencingToken }] },
      ]);
      expect(await look(lockName)).toMatchObject({ state: 'released' });
    });

    it('unless they have run out', async () => {
      const { lockName } = await share(store, fresh('force'));
      await opened.letPass(HOUR);
      expect(await desk.forceRelease([{ lockName, ...ANN }])).toEqual([{ outcome: 'free' }]);
    });
  });

  describe('edit one of its leases', () => {
    it('by its token: that one only, and the lock is kept as long as the longest', async () => {
      const [ann, bob, eve] = await threeOf(fresh('edit'));
      const { lockName } = bob;
      const edit = { lockName, fencingToken: bob.fencingToken, ttl: MINUTE, metadata: { b: 2 }, ...ANN };
      const answer = await desk.edit(edit);
      expect(answer).toMatchObject({
        outcome: 'edited',
        lease: {
          workerName: 'bob',
          grantId: bob.grantId,
          fencingToken: bob.fencingToken,
          metadata: { b: 2 },
          share: { permits: 1, limit: null },
        },
      });
      if (answer.outcome !== 'edited') throw new Error('not edited');
      expect(answer.lease.timeLeft).toBeLessThanOrEqual(MINUTE);
      expect(answer.lease.version).not.toBe(bob.version);
      expect(await look(lockName)).toMatchObject({
        workerName: 'eve',
        metadata: { a: 1 },
        expireTime: eve.expireTime,
        holders: [
          { workerName: 'ann', expireTime: ann.expireTime },
          { workerName: 'bob', expireTime: answer.lease.expireTime, metadata: { b: 2 } },
          { workerName: 'eve', expireTime: eve.expireTime },
        ],
      });
      expect(await historyOf(lockName)).toMatchObject([
        {
          event: 'edited',
          workerName: 'bob',
          fencingToken: bob.fencingToken,
          ...ANN,
          details: {
            metadata: { from: null, to: { b: 2 } },
            expireTime: { from: bob.expireTime.toISOString() },
          },
        },
      ]);
    });

    it('to last longer: so does the lock', async () => {
      const [ann] = await threeOf(fresh('edit'));
      const { lockName, fencingToken } = ann;
      await desk.edit({ lockName, fencingToken, ttl: 5 * HOUR, ...ANN });
      await opened.letPass(4 * HOUR);
      expect(await store.acquire([acquisition(lockName)])).toMatchObject([{ outcome: 'busy' }]);
      expect((await look(lockName)).holders).toMatchObject([{ workerName: 'ann', metadata: null }]);
    });

    it('the newest: the lock tells of its metadata', async () => {
      const [, , eve] = await threeOf(fresh('edit'));
      const { lockName, fencingToken } = eve;
      await desk.edit({ lockName, fencingToken, metadata: null, ...ANN });
      expect(await look(lockName)).toMatchObject({ workerName: 'eve', metadata: null });
    });

    it('unless it is over', async () => {
      const [ann, bob, eve] = await threeOf(fresh('edit'));
      const { lockName } = ann;
      await shared.release([{ ...eve, minHold: 2 * HOUR }]);
      await opened.letPass(HOUR);
      for (const fencingToken of [ann.fencingToken, eve.fencingToken, bob.fencingToken + 1])
        expect(await desk.edit({ lockName, fencingToken, ttl: HOUR, ...ANN })).toEqual({
          outcome: 'changed',
        });
      expect(await historyOf(lockName)).toEqual([]);
    });
  });

  describe('take it', () => {
    const hold = (lockName: string) => ({ ...acquisition(lockName, { workerName: 'by hand' }), ...ANN });

    it('not while somebody has it, but after that', async () => {
      const { lockName } = await share(store, fresh('take'), { workerName: 'bob' });
      expect(await desk.hold(hold(lockName))).toEqual({ outcome: 'busy' });
      await opened.letPass(HOUR);
      expect(await desk.hold(hold(lockName))).toMatchObject({
        outcome: 'held',
        expired: { lockName, workerName: 'bob' },
      });
      expect((await historyOf(lockName)).map(({ event, workerName }) => [event, workerName])).toEqual([
        ['created', 'by hand'],
        ['expired', 'bob'],
      ]);
      expect((await look(lockName)).sharing).toBeUndefined();
    });
  });

  describe('clean up', () => {
    it('when its leases have run out, and not before', async () => {
      const [ann, bob] = await threeOf(fresh('clear'));
      const { lockName } = ann;
      await opened.letPass(2 * HOUR);
      await desk.clearExpired('ann');
      expect(await look(lockName)).toMatchObject({ state: 'held', sharing: { holders: 1 } });
      expect(await isLive(bob)).toBe(true);
      await opened.letPass(2 * HOUR);
      expect(await look(lockName)).toMatchObject({ state: 'expired' });
      await desk.clearExpired('ann');
      expect(await look(lockName)).toMatchObject({ state: 'released', workerName: null });
      expect(await historyOf(lockName)).toMatchObject([
        { event: 'cleared', workerName: 'eve', actor: 'ann' },
      ]);
      expect(await share(store, lockName, { limit: 1 })).toMatchObject({ share: { limit: 1 } });
    });

    it('by deleting it only when it is free', async () => {
      const held = await share(store, fresh('delete'), { ttl: 9 * HOUR });
      const { lockName } = held;
      await opened.letPass(HOUR);
      expect(await desk.deleteReleased([lockName], 'ann')).toEqual([]);
      await shared.release([keyOf(held)]);
      await opened.letPass(MIN_IDLE + 1);
      expect(await desk.deleteReleased([lockName], 'ann')).toEqual([lockName]);
      expect(await store.inspect([lockName])).toEqual([null]);
    });

    it('by removing it only when nobody has used it for long', async () => {
      const held = await share(store, fresh('idle'), { ttl: 9 * HOUR });
      const idle = await share(store, fresh('idle'));
      await opened.letPass(HOUR + 2 * MIN_IDLE);
      await store.removeIdle(MIN_IDLE);
      expect(await store.inspect([idle.lockName])).toEqual([null]);
      expect((await look(held.lockName)).sharing).toEqual({ holders: 1, permits: 1, limits: [] });
      expect(await isLive(held)).toBe(true);
    });
  });

  describe('see in lists', () => {
    it('what its leases take together, and nothing of the kind of other locks', async () => {
      const prefix = fresh('list');
      const name = `${prefix}:shared`;
      await threeOf(name);
      await shared.acquire([
        sharing(name, { permits: 3, limit: 8 }),
        sharing(name, { limit: 9 }),
        sharing(`${prefix}:expired`),
        sharing(`${prefix}:released`),
      ]);
      expect(await look(`${prefix}:released`)).toMatchObject({ sharing: { holders: 1 } });
      await desk.forceRelease([{ lockName: `${prefix}:released`, ...ANN }]);
      await opened.letPass(2 * HOUR);
      await lease(store, `${prefix}:alone`);
      await shared.acquire([
        sharing(name, { permits: 3, limit: 8 }),
        sharing(name, { permits: 2, limit: 7 }),
      ]);
      const expected = [
        [`${prefix}:alone`, 'held', undefined],
        [`${prefix}:expired`, 'expired', undefined],
        [`${prefix}:released`, 'released', undefined],
        [`${prefix}:shared`, 'held', { holders: 3, permits: 6, limits: [7, 8] }],
      ];
      const { items } = await desk.page({ prefix, sort: 'lockName', order: 'asc', page: 1, pageSize: 10 });
      expect(items.map(({ lockName, state, sharing: taken }) => [lockName, state, taken])).toEqual(expected);
      const all = [];
      for await (const chunk of desk.listAll({ prefix }, 3)) all.push(...chunk);
      expect(all.map(({ lockName, state, sharing: taken }) => [lockName, state, taken])).toEqual(expected);
    });

    it('and it is found by each of them, while its lease lasts', async () => {
      const prefix = fresh('found');
      const [ann] = await threeOf(`${prefix}:three`);
      await lease(store, `${prefix}:alone`, { workerName: 'zoe' });
      const found = async (search: string) => {
        const filter = { search, prefix: `${prefix}:` };
        const { items } = await desk.page({
          ...filter,
          sort: 'lockName',
          order: 'asc',
          page: 1,
          pageSize: 10,
        });
        expect(await desk.count(filter)).toBe(items.length);
        return items.map(({ lockName }) => lockName.slice(prefix.length));
      };
      expect(await Promise.all(['ANN', 'bo', 'Eve', 'zo', 'max'].map(found))).toEqual([
        [':three'],
        [':three'],
        [':three'],
        [':alone'],
        [],
      ]);
      await shared.release([keyOf(ann)]);
      expect(await found('ann')).toEqual([]);
      await opened.letPass(2 * HOUR);
      expect(await Promise.all(['bob', 'eve'].map(found))).toEqual([[':three'], [':three']]);
    });

    it('what they take together, where something has happened to it', async () => {
      const name = fresh('changes');
      const { cursor, waiting } = await opened.history.changes(undefined, new Map(), 10);
      await threeOf(name);
      await opened.history.record([entry(name)]);
      const { locks } = await opened.history.changes(cursor, waiting, 10);
      expect(locks.filter(({ lockName }) => lockName === name)).toMatchObject([
        { state: 'held', workerName: 'eve', sharing: { holders: 3, permits: 4, limits: [9] } },
      ]);
    });

    it('no key to it', async () => {
      const [{ lockName }] = await threeOf(fresh('keys'));
      expect(JSON.stringify(await look(lockName))).not.toContain(SHARED_GRANT);
      expect((await look(lockName)).holders.map((holder) => 'grantId' in holder)).toEqual([
        false,
        false,
        false,
      ]);
    });
  });
});

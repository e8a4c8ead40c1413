import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LeaseRecord } from 'nestjs-db-lock';
import { uniqueName } from '../support/lock-names.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { EventStream } from './event-stream.js';
import { AdminScene, changed, OPERATOR, PATIENCE, pathOf } from './scene.js';

const HOUR = 60 * 60 * 1000;

describe.each(PLATFORMS)('a lock that is shared, on %s', (platform) => {
  let scene: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.inMemory({}, { platform });
  });
  afterAll(() => scene.service.close());

  /** A semaphore's lease. */
  const shared = (lockName: string, workerName: string, share: object = { limit: 5 }) =>
    scene.lease(lockName, { workerName, ...share });
  const ended = ({ workerName, fencingToken, lockTime, expireTime, share }: LeaseRecord) => ({
    workerName,
    fencingToken,
    lockTime: lockTime.toISOString(),
    expireTime: expireTime.toISOString(),
    ...share,
  });
  const isLive = async ({ lockName, grantId }: LeaseRecord) =>
    (await scene.service.locks.renew({ lockName, grantId, ttl: '1h' })).outcome === 'renewed';
  const forcedOf = async (lockName: string) =>
    (await scene.history(lockName)).items.filter(({ event }) => event === 'forced');

  it('has its holders, the oldest first, and in a list how many there are', async () => {
    const lockName = uniqueName();
    const one = await shared(lockName, 'one', { limit: 8, permits: 3, metadata: { a: 1 } });
    const two = await shared(lockName, 'two');
    expect(await scene.inspect(lockName)).toMatchObject({
      mode: 'shared',
      holderCount: 2,
      permits: 4,
      limits: [5, 8],
      holders: [
        { workerName: 'one', fencingToken: one.fencingToken, permits: 3, limit: 8, metadata: { a: 1 } },
        { workerName: 'two', fencingToken: two.fencingToken, permits: 1, limit: 5, metadata: null },
      ],
    });
    const inList = {
      lockName,
      workerName: 'two',
      mode: 'shared',
      holderCount: 2,
      permits: 4,
      limits: [5, 8],
    };
    expect((await scene.list({ search: lockName })).items).toMatchObject([inList]);
    const { json } = await scene.ask('POST', 'inspect', { json: { lockNames: [lockName] } });
    expect(json).toMatchObject({ locks: [inList] });
    expect((await scene.ask('GET', 'locks.csv', { query: { prefix: lockName } })).text).toContain(
      ',"shared","2","4","5 8"\r\n',
    );
  });

  it('loses the one lease that is meant, and is told of the others', async () => {
    const lockName = uniqueName();
    const leases = [
      await shared(lockName, 'one'),
      await shared(lockName, 'two', { limit: 5, permits: 2 }),
      await shared(lockName, 'three'),
    ] as const;
    const [, two] = leases;
    const act = { reason: 'two hangs', fencingToken: two.fencingToken };
    expect(await scene.forceRelease(lockName, act)).toMatchObject({
      status: 200,
      json: { lockName, ended: ended(two), others: [], leases: 1 },
    });
    expect(await Promise.all(leases.map(isLive))).toEqual([true, false, true]);
    expect(await forcedOf(lockName)).toMatchObject([
      {
        workerName: 'two',
        fencingToken: two.fencingToken,
        actor: OPERATOR,
        reason: 'two hangs',
        details: { mode: 'shared', permits: 2, limit: 5 },
      },
    ]);
    const now = { state: 'held', mode: 'shared', holderCount: 2, permits: 2 };
    expect(await scene.forceRelease(lockName, act)).toMatchObject(changed(lockName, now));
    expect(await forcedOf(lockName)).toHaveLength(1);
  });

  it.each([undefined, 'shared'])('loses all leases where no token is given (mode: %s)', async (mode) => {
    const lockName = uniqueName();
    const [one, two] = [
      await shared(lockName, 'one'),
      await shared(lockName, 'two', { limit: 9, permits: 4 }),
    ];
    const waiting = scene.lease(lockName, { workerName: 'writer', wait: '1h' });
    await scene.waitedFor(lockName);
    expect(await scene.forceRelease(lockName, { reason: 'all hang', mode })).toMatchObject({
      status: 200,
      json: { lockName, ended: ended(two), others: [ended(one)], leases: 2 },
    });
    expect((await waiting).workerName).toBe('writer');
    expect([await isLive(one), await isLive(two)]).toEqual([false, false]);
    expect((await forcedOf(lockName)).map(({ workerName }) => workerName).sort()).toEqual(['one', 'two']);
  });

  it('tells of a hundred others of the leases that were ended, and how many there were', async () => {
    const lockName = uniqueName();
    const readers = Array.from({ length: 120 }, (_, index) =>
      shared(lockName, `reader ${index}`, { mode: 'shared' }),
    );
    await Promise.all(readers);
    const { json } = await scene.forceRelease(lockName);
    expect(json).toMatchObject({ leases: 120, ended: { workerName: 'reader 119' } });
    const { others } = json as { others: Array<{ workerName: string }> };
    expect(others).toHaveLength(100);
    expect(others[0]!.workerName).toBe('reader 118');
    expect(await scene.inspect(lockName)).toMatchObject({
      state: 'released',
      mode: null,
      holderCount: 0,
      holders: [],
    });
  });

  it('is left alone where it has come to be held exclusively', async () => {
    const lockName = uniqueName();
    const readers = [await shared(lockName, 'one'), await shared(lockName, 'two')];
    for (const reader of readers) await scene.release(reader);
    const writer = await scene.lease(lockName, { workerName: 'writer' });
    const act = { reason: 'the readers hang', mode: 'shared' };
    const now = { mode: 'exclusive', workerName: 'writer', fencingToken: writer.fencingToken };
    expect(await scene.forceRelease(lockName, act)).toMatchObject(changed(lockName, now));
    expect(await isLive(writer)).toBe(true);
  });

  it('is one of several that lose what is meant, each answered by itself', async () => {
    const [all, single, writing, free] = [uniqueName(), uniqueName(), uniqueName(), uniqueName()];
    const [a, b] = [await shared(all, 'a'), await shared(all, 'b')];
    const [c, d] = [await shared(single, 'c'), await shared(single, 'd')];
    const writer = await scene.lease(writing, { workerName: 'writer' });
    const answer = await scene.forceReleaseAll({
      reason: 'the node is gone',
      locks: [
        { lockName: all, mode: 'shared' },
        { lockName: single, fencingToken: c.fencingToken },
        { lockName: writing, mode: 'shared' },
        { lockName: free, mode: 'shared' },
      ],
    });
    expect(answer.json).toMatchObject({
      answers: [
        { lockName: all, outcome: 'forced', ended: ended(b), others: [ended(a)], leases: 2, lock: null },
        { lockName: single, outcome: 'forced', ended: ended(c), others: [], leases: 1, lock: null },
        { lockName: writing, outcome: 'changed', ended: null, leases: 0, lock: { mode: 'exclusive' } },
        { lockName: free, outcome: 'free', ended: null, leases: 0, lock: null },
      ],
    });
    expect([await isLive(d), await isLive(writer)]).toEqual([true, true]);
  });

  it('has the end and the metadata of one lease edited, by its token', async () => {
    const lockName = uniqueName();
    const [one, two] = [await shared(lockName, 'one'), await shared(lockName, 'two')];
    const { fencingToken } = one;
    const edit = { fencingToken, ttl: '3h', metadata: { batch: 7 }, reason: 'it takes long' };
    expect(await scene.edit(lockName, edit)).toMatchObject({
      status: 200,
      json: { lockName, mode: 'shared', holderCount: 2 },
    });
    const { holders, expireTime } = await scene.inspect(lockName);
    expect(holders).toMatchObject([
      { workerName: 'one', fencingToken, metadata: { batch: 7 } },
      { workerName: 'two', metadata: null, expireTime: two.expireTime.toISOString() },
    ]);
    expect(holders[0]!.expireTime).toBe(expireTime);
    expect(Date.parse(expireTime) - two.expireTime.getTime()).toBeGreaterThan(1.9 * HOUR);
    const { items } = await scene.history(lockName);
    expect(items.find(({ event }) => event === 'edited')).toMatchObject({
      workerName: 'one',
      fencingToken,
      reason: 'it takes long',
    });
    await scene.release(one);
    expect(await scene.edit(lockName, edit)).toMatchObject(
      changed(lockName, { mode: 'shared', holderCount: 1 }),
    );
  });

  it('has a history with modes, permits, and the downgrade', async () => {
    const lockName = uniqueName();
    const writer = await scene.lease(lockName, { workerName: 'writer' });
    const waiting = shared(lockName, 'reader', { wait: '1h', limit: 5, permits: 2 });
    await scene.waitedFor(lockName);
    const { grantId } = writer;
    await scene.service.locks.downgrade({ lockName, grantId, limit: 4 });
    await scene.release(await waiting);
    const events = await scene.happened(lockName, 'acquired', 'waited', 'downgraded', 'acquired', 'released');
    expect(events.map(({ details }) => details)).toEqual([
      null,
      { holder: 'writer', mode: 'shared', permits: 2, limit: 5 },
      { mode: 'shared', permits: 1, limit: 4 },
      { mode: 'shared', permits: 2, limit: 5, wait: expect.any(Number) },
      null,
    ]);
    expect(events[2]).toMatchObject({ workerName: 'writer', grantId: `${grantId.slice(0, 8)}…` });
  });

  it('is told of as it changes: who comes, and who goes', async () => {
    const lockName = uniqueName();
    await using stream = await EventStream.greeted(scene);
    const one = await shared(lockName, 'one');
    await stream.shown(lockName, { holderCount: 1, permits: 1, limits: [5] });
    await shared(lockName, 'two', { limit: 7, permits: 2 });
    await stream.shown(lockName, { holderCount: 2, permits: 3, limits: [5, 7] });
    await scene.release(one);
    await stream.shown(lockName, { holderCount: 1, permits: 2, limits: [7] });
    await scene.forceRelease(lockName);
    await stream.shown(lockName, { holderCount: 0, mode: null });
  });

  it('is held by nobody when its last lease has run out', async () => {
    const lockName = uniqueName();
    await shared(lockName, 'one', { ttl: 1, limit: 5 });
    await until('it has run out', PATIENCE, async () => (await scene.inspect(lockName)).state === 'expired');
    expect(await scene.inspect(lockName)).toMatchObject({
      mode: null,
      holderCount: 0,
      holders: [],
      workerName: 'one',
    });
    expect((await scene.ask('GET', pathOf(lockName))).text).not.toContain('permits');
  });
});

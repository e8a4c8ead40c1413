import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { fakeIntervals } from '../support/fake-clock.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { EventStream } from './event-stream.js';
import { AdminScene, PATIENCE } from './scene.js';
import { uniqueName } from '../support/lock-names.js';

describe('who watches the changes of locks', () => {
  let scene: AdminScene;
  let beside: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open();
    beside = await scene.openBeside();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  afterAll(async () => {
    await beside.service.close();
    await scene.service.close();
  });

  it('is told of what happens in another application on the same database', async () => {
    const lockName = uniqueName();
    await using stream = await EventStream.greeted(scene);
    const lease = await beside.lease(lockName, { workerName: 'far away' });
    await stream.shown(lockName, { state: 'held', workerName: 'far away', fencingToken: lease.fencingToken });
    await beside.edit(lockName, { fencingToken: lease.fencingToken, metadata: null, ttl: '2h' });
    await stream.shown(lockName, { expireTime: (await beside.inspect(lockName)).expireTime });
    await beside.release(lease);
    await stream.shown(lockName, { state: 'released', workerName: null });
  });

  it('sees those who wait come and go', async () => {
    const lockName = uniqueName();
    const lease = await beside.lease(lockName);
    await using stream = await EventStream.greeted(scene);
    const gone = new AbortController();
    const request = { lockName, workerName: 'ben', ttl: '1h', wait: '1h' };
    const waits = [1, 2].map((_, index) =>
      beside.service.locks.acquire(
        { ...request, grantId: crypto.randomUUID() },
        index === 0 ? gone.signal : undefined,
      ),
    );
    await stream.shown(lockName, { waiting: 2 });
    gone.abort();
    await expect(waits[0]).rejects.toThrow();
    await stream.shown(lockName, { waiting: 1 });
    await beside.release(lease);
    await waits[1];
    await stream.shown(lockName, { waiting: 0, workerName: 'ben' });
  });

  it('is told once of each change, and once which lock is gone', async () => {
    const [kept, deleted] = [uniqueName(), uniqueName()];
    await using stream = await EventStream.greeted(scene);
    await beside.held({ lockName: kept });
    await beside.held({ lockName: deleted });
    await stream.shown(deleted, { state: 'held' });
    await beside.forceRelease(deleted);
    await beside.service.leaveIdle(deleted);
    await beside.deleteReleased(deleted);
    const isGone = ({ data }: (typeof stream.events)[number]) => data.removed?.includes(deleted) ?? false;
    await stream.seen('it is gone', isGone);
    // What two looks overlap in is over after three.
    const { fencingToken } = await beside.held({ lockName: deleted });
    await stream.shown(deleted, { fencingToken });
    for (const ttl of ['2h', '3h']) {
      const { expireTime } = (await beside.edit(deleted, { fencingToken, ttl })).json as {
        expireTime: string;
      };
      await stream.shown(deleted, { expireTime });
    }
    expect(stream.events.filter(isGone)).toHaveLength(1);
    expect(stream.views(kept)).toHaveLength(1);
    const views = stream.views(deleted).map((view) => JSON.stringify({ ...view, serverTime: null }));
    expect(new Set(views).size).toBe(views.length);
  });

  it('is told that there is too much to tell, and of single changes again afterwards', async () => {
    const prefix = uniqueName();
    await using stream = await EventStream.greeted(scene);
    await scene.service.query(
      `INSERT INTO dblock_history (lock_name, event, event_time)
       SELECT $1 || place, 'renewed', clock_timestamp() FROM generate_series(1, 400) AS place`,
      [prefix],
    );
    const { data } = await stream.seen('many', ({ type }) => type === 'many');
    expect(data).toEqual({ serverTime: expect.any(String) });
    const lockName = uniqueName();
    await beside.held({ lockName });
    await stream.shown(lockName, { state: 'held' });
  });

  it('is told of single changes also where more locks are waited for than are told of at once', async () => {
    const prefix = uniqueName();
    await scene.service.query(
      `INSERT INTO dblock_lock (lock_name, worker_name, grant_id, token, lock_time, expire_time)
       SELECT $1 || place, 'ann', gen_random_uuid(), place, now(), now() + interval '1 hour'
       FROM generate_series(1, 400) AS place`,
      [prefix],
    );
    const wait = (ticket: number, most: number) =>
      scene.service.query(
        `INSERT INTO dblock_waiter (lock_name, ticket, grant_id, worker_name, server, alive_until)
         SELECT $1 || place, $2::bigint, gen_random_uuid(), 'ben', gen_random_uuid(), now() + interval '1 hour'
         FROM generate_series(1, $3::int) AS place`,
        [prefix, ticket, most],
      );
    await wait(1, 400);
    const looks = jest.spyOn(scene.service.locks.desk, 'changes');
    await using stream = await EventStream.greeted(scene);
    await until('a few looks', PATIENCE, () => looks.mock.calls.length >= 4);
    expect(stream.events).toEqual([{ type: 'hello', data: {} }]);
    await wait(2, 1);
    await stream.shown(`${prefix}1`, { waiting: 2 });
    await beside.forceRelease(`${prefix}2`);
    await stream.shown(`${prefix}2`, { state: 'released', waiting: 1 });
    expect(stream.events.filter(({ type }) => type === 'many')).toEqual([]);

    await scene.service.query('DELETE FROM dblock_waiter WHERE lock_name LIKE $1', [`${prefix}%`]);
    await stream.seen('many', ({ type }) => type === 'many');
    const seen = looks.mock.calls.length;
    await until('a few looks', PATIENCE, () => looks.mock.calls.length >= seen + 3);
    const told = stream.events.map(({ type }) => type).filter((type) => type !== 'tick');
    expect(told.slice(told.indexOf('many'))).toEqual(['many']);
  });

  it('costs the database one look a second, however many watch, and none when nobody does', async () => {
    // Nobody has watched here before, whose last look might come late.
    await using watched = await scene.openBeside();
    const looks = jest.spyOn(watched.service.locks.desk, 'changes');
    const began = performance.now();
    const streams = await Promise.all(Array.from({ length: 8 }, () => EventStream.greeted(watched)));
    await until('a few looks', PATIENCE, () => looks.mock.calls.length >= 3);
    const lockName = uniqueName();
    await beside.held({ lockName });
    await Promise.all(streams.map((stream) => stream.shown(lockName, { state: 'held' })));
    expect(looks.mock.calls.length).toBeLessThanOrEqual((performance.now() - began) / 1000 + 1);
    await Promise.all(streams.slice(1).map((stream) => stream.close()));
    const still = uniqueName();
    await beside.held({ lockName: still });
    await streams[0]!.shown(still, { state: 'held' });
    await streams[0]!.close();

    let last = -1;
    let quietSince = 0;
    await until('nobody looks any more', PATIENCE, () => {
      if (looks.mock.calls.length !== last) [last, quietSince] = [looks.mock.calls.length, performance.now()];
      return performance.now() - quietSince > 1_500;
    });
    await using again = await EventStream.greeted(watched);
    await beside.forceRelease(still);
    await again.shown(still, { state: 'released' });
  });
});

describe('the changes of locks without a history', () => {
  it('ask who watches to read anew, every few seconds', async () => {
    await using scene = await AdminScene.open({ features: [{ history: false }] });
    const looks = jest.spyOn(scene.service.locks.desk, 'changes');
    await using stream = await EventStream.greeted(scene);
    await scene.held({ lockName: 'job' });
    await stream.seen('a request to read anew', ({ type }) => type === 'refresh');
    expect(stream.events).toEqual([
      { type: 'hello', data: {} },
      { type: 'refresh', data: {} },
    ]);
    expect(looks).not.toHaveBeenCalled();
  });
});

describe.each(PLATFORMS)('on %s, who watches the changes of locks', (platform) => {
  let scene: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open({ platform });
  });
  afterAll(() => scene.service.close());

  it('is greeted, and told at once what an operator does then, with the lock as it is', async () => {
    const lockName = uniqueName();
    await using stream = await EventStream.greeted(scene);
    expect(stream.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(stream.headers['cache-control']).toMatch(/no-cache|no-store/);
    expect(stream.events).toEqual([{ type: 'hello', data: {} }]);
    const lock = await scene.held({ lockName, workerName: 'maintenance', metadata: { a: 'b\n\nc' } });
    const shown = await stream.shown(lockName, { state: 'held' });
    expect(shown).toEqual({ ...lock, serverTime: expect.any(String) });
    const { data } = await stream.seen('the change', ({ type }) => type === 'changes');
    expect(Object.keys(data).sort()).toEqual(['locks', 'removed', 'serverTime']);
  });

  it('is asked again after some minutes who they are, and told nothing more without access', async () => {
    const allowed = new Set(['ann', 'ben']);
    await using guarded = await AdminScene.open({
      platform,
      features: [
        {
          resolveAccess: ({ user }: { user: { username: string } }) =>
            allowed.has(user.username) ? 'view' : null,
        },
      ],
    });
    const enter = (name: string) => guarded.ask('GET', 'changes', { headers: { 'x-operator': name } });
    expect((await enter('ann')).status).toBe(200);
    fakeIntervals();
    await using stream = await EventStream.greeted(guarded, { 'x-operator': 'ann' });
    allowed.delete('ann');
    jest.advanceTimersByTime(360_000);
    jest.useRealTimers();
    await until('the stream ends', PATIENCE, () => stream.hasEnded);
    expect(stream.events.map(({ type }) => type)).toEqual(['hello', 'again']);
    expect((await enter('ann')).status).toBe(403);
    expect((await enter('ben')).status).toBe(200);
  });

  it('sees the stream end when the application shuts down, and does not hold it up', async () => {
    const going = await scene.openBeside({ platform });
    const streams = await Promise.all([EventStream.greeted(going), EventStream.greeted(going)]);
    // A browser would open the next stream on the same connection, again and again.
    for (const { headers } of streams) expect(headers.connection).toBe('close');
    const closing = going.service.close();
    await until('the streams end', PATIENCE, () => streams.every(({ hasEnded }) => hasEnded));
    await Promise.all(streams.map((stream) => stream.close()));
    await closing;
  });
});

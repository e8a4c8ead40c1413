import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { LockClient, type LeaseRecord, type LockStore } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { overviewJson, sessionJson } from '../../libs/db-lock/src/admin/schemas.js';
import { BlockingSession } from '../support/blocking-session.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { until } from '../support/patience.js';
import { AdminScene, OPERATOR, PATIENCE, pathOf } from './scene.js';
import { uniqueName } from '../support/lock-names.js';

const NOBODY = { actor: null, reason: null };

/** As much of a key as is told. */
const toldOf = (grantId: string) => `${grantId.slice(0, 8)}…`;

describe('the history of a lock', () => {
  let here: AdminScene;
  let there: AdminScene;

  beforeAll(async () => {
    here = await AdminScene.open({ features: [{ history: { renewals: 0 } }] });
    there = await here.openBeside();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  afterAll(async () => {
    await there.service.close();
    await here.service.close();
  });

  const keyOf = ({ lockName, grantId }: { lockName: string; grantId: string }) => ({ lockName, grantId });

  const renew = (scene: AdminScene, { lockName, grantId }: { lockName: string; grantId: string }) =>
    scene.service.locks.renew({ lockName, grantId, ttl: '1h' });

  it("tells of a lease's life, whose it was, and when, by the clock of the database", async () => {
    const lockName = uniqueName();
    const [wallClock, before] = [Date.now, await here.now()];
    jest.spyOn(Date, 'now').mockImplementation(() => wallClock() - 3_600_000);
    const lease = await here.lease(lockName, { workerName: 'ann' });
    await renew(here, lease);
    await here.release(lease);
    const events = await here.happened(lockName, 'acquired', 'renewed', 'released');
    for (const event of events)
      expect(event).toEqual({
        id: expect.any(String),
        event: expect.any(String),
        workerName: 'ann',
        grantId: toldOf(lease.grantId),
        fencingToken: lease.fencingToken,
        details: null,
        eventTime: expect.any(String),
        ...NOBODY,
      });
    const times = [before, ...events.map(({ eventTime }) => Date.parse(eventTime)), await here.now()];
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  it('tells of one renewal of a lease in the time that is set, however often it is renewed', async () => {
    const lockName = uniqueName();
    const lease = await there.lease(lockName);
    for (let times = 0; times < 5; times++) await renew(there, lease);
    await there.release(lease);
    await there.happened(lockName, 'acquired', 'released');
  });

  it('tells who waited, for whom, and for how long', async () => {
    const lockName = uniqueName();
    const ann = await here.lease(lockName, { workerName: 'ann' });
    const waiting = here.lease(lockName, { workerName: 'ben', wait: '1m' });
    await here.waitedFor(lockName);
    await here.release(ann);
    const ben = await waiting;
    await here.release(ben);
    const events = await here.happened(lockName, 'acquired', 'waited', 'released', 'acquired', 'released');
    expect(events[1]).toMatchObject({
      workerName: 'ben',
      grantId: toldOf(ben.grantId),
      fencingToken: null,
      details: { holder: 'ann' },
      ...NOBODY,
    });
    expect(events[3]).toMatchObject({
      workerName: 'ben',
      fencingToken: ben.fencingToken,
      details: { wait: expect.any(Number) },
    });
    expect(events[3]!.details!['wait']).toBeGreaterThan(0);
  });

  it('finds the holder and the token of a lease that ends on another server than it began', async () => {
    const lockName = uniqueName();
    const lease = await here.lease(lockName, { workerName: 'ann' });
    await here.happened(lockName, 'acquired');
    await there.release(lease);
    const [, released] = await there.happened(lockName, 'acquired', 'released');
    const whose = { workerName: 'ann', grantId: toldOf(lease.grantId), fencingToken: lease.fencingToken };
    expect(released).toMatchObject(whose);
  });

  it('does not go through a long history for it', async () => {
    const lockName = uniqueName();
    const lease = await here.lease(lockName, { workerName: 'ann' });
    await here.happened(lockName, 'acquired');
    await here.service.query(
      `INSERT INTO dblock_history (lock_name, event, event_time)
       SELECT $1, 'renewed', clock_timestamp() - interval '1 millisecond' FROM generate_series(1, 150)`,
      [lockName],
    );
    await there.release(lease);
    await until('the release is recorded', PATIENCE, async () => {
      const [last] = (await here.history(lockName)).items;
      return (
        last!.event === 'released' && last!.workerName === null && last!.grantId === toldOf(lease.grantId)
      );
    });
  });

  it.each<[string, (scene: AdminScene, lease: LeaseRecord) => Promise<unknown>]>([
    ['released', (scene, lease) => scene.release(lease)],
    ['lost', async (scene, lease) => renew(scene, { ...lease, grantId: randomUUID() })],
  ])(
    'is in order, also where a server has heard late from the database before (%s)',
    async (event, comeLater) => {
      await using late = await here.openBeside();
      const store = late.service.app.get<LockStore>(LOCK_STORE);
      const acquire = store.acquire.bind(store);
      jest.spyOn(store, 'acquire').mockImplementation(async (requests) => {
        const answers = await acquire(requests);
        await sleep(500);
        return answers;
      });
      const lockName = uniqueName();
      const lease = await late.lease(lockName);
      await here.edit(lockName, { fencingToken: lease.fencingToken, ttl: '2h' });
      await comeLater(late, lease);
      await here.happened(lockName, 'acquired', 'edited', event);
    },
  );

  it('calls nothing lost that was released before, on whatever server, nor what never was', async () => {
    const lockName = uniqueName();
    const lease = await here.lease(lockName);
    await here.release(lease);
    expect(await here.release(lease)).toEqual({ outcome: 'lost' });
    await here.happened(lockName, 'acquired', 'released');
    expect(await there.release(lease)).toEqual({ outcome: 'lost' });
    await there.release({ lockName: 'unheard of', grantId: randomUUID() });
    const late = await there.lease(uniqueName(), { ttl: 1 });
    await there.service.expired(late.lockName);
    await renew(there, late);
    await there.happened(late.lockName, 'acquired', 'lost');
    await there.happened(lockName, 'acquired', 'released');
    await there.happened('unheard of');
  });

  it('calls a lease lost whose holder comes after it was forced', async () => {
    const lockName = uniqueName();
    const lease = await here.lease(lockName);
    await there.forceRelease(lockName);
    await renew(here, lease);
    await here.happened(lockName, 'acquired', 'forced', 'lost');
  });

  it('tells of no expiry of a lock that was released and stayed taken', async () => {
    const lockName = uniqueName();
    const { lockName: name, grantId } = await here.lease(lockName);
    await here.service.locks.release({ lockName: name, grantId, minHold: 1 });
    const kept = await here.lease(uniqueName());
    expect(await here.service.locks.release({ ...keyOf(kept), minHold: '1h' })).toEqual({
      outcome: 'released',
    });
    expect(await here.inspect(kept.lockName)).toMatchObject({ state: 'held', workerName: 'ann' });
    await here.service.query('UPDATE dblock_lock SET expire_time = clock_timestamp() WHERE lock_name = $1', [
      kept.lockName,
    ]);
    expect(await here.inspect(kept.lockName)).toMatchObject({ workerName: null, metadata: null });
    expect(await here.names({ state: 'expired' })).not.toContain(kept.lockName);
    await here.clearExpired();
    await here.lease(kept.lockName);
    await here.happened(kept.lockName, 'acquired', 'released', 'acquired');
    const again = await here.lease(uniqueName());
    await here.service.locks.release({ ...keyOf(again), minHold: 300 });
    await until('it is free', PATIENCE, async () => {
      return (await here.inspect(again.lockName)).state === 'released';
    });
    await here.held({ lockName: again.lockName });
    await here.happened(again.lockName, 'acquired', 'released', 'created');
    await here.forceRelease(again.lockName);
    await here.service.leaveIdle(again.lockName);
    expect((await here.deleteReleased(again.lockName)).json).toMatchObject({ deleted: [again.lockName] });
  });

  it('tells whose lease was lost, by a late renewal and by a late release', async () => {
    const release = (scene: AdminScene, lease: LeaseRecord) => scene.release(lease);
    for (const [comeLate, told] of [
      [renew, { serverTime: expect.any(Date) }] as const,
      [release, {}] as const,
    ]) {
      const lockName = uniqueName();
      const lease = await here.lease(lockName, { workerName: 'slow', ttl: 1 });
      await here.service.expired(lockName);
      expect(await comeLate(here, lease)).toEqual({ outcome: 'lost', ...told });
      const [, lost] = await here.happened(lockName, 'acquired', 'lost');
      expect(lost).toMatchObject({
        workerName: 'slow',
        grantId: toldOf(lease.grantId),
        fencingToken: lease.fencingToken,
        ...NOBODY,
      });
    }
  });

  it('tells of a lease that expired when somebody else gets the lock', async () => {
    const lockName = uniqueName();
    await here.service.leaveExpired(lockName, 'crashed');
    const { fencingToken } = await here.inspect(lockName);
    const next = await there.lease(lockName, { workerName: 'ben' });
    const [, expired, acquired] = await there.happened(lockName, 'acquired', 'expired', 'acquired');
    expect(expired).toMatchObject({ workerName: 'crashed', fencingToken, ...NOBODY });
    expect(acquired).toMatchObject({ workerName: 'ben', fencingToken: next.fencingToken });
  });

  it('tells of it also when a set of locks or an operator comes after the lease', async () => {
    const [lockName, other] = [uniqueName(), uniqueName()];
    await here.service.leaveExpired(lockName, 'crashed');
    const crashed = { workerName: 'crashed', fencingToken: (await here.inspect(lockName)).fencingToken };
    const set = await here.service.locks.acquireSet({
      lockNames: [other, lockName],
      workerName: 'slow',
      grantId: randomUUID(),
      ttl: 1,
    });
    if (set.outcome !== 'granted') throw new Error('The set is busy.');
    const slow = { workerName: 'slow', fencingToken: set.leases[1]!.fencingToken };
    await here.service.expired(lockName);
    const { fencingToken } = await here.held({ lockName });
    const events = await here.happened(lockName, 'acquired', 'expired', 'acquired', 'expired', 'created');
    expect(events).toMatchObject([
      crashed,
      { ...crashed, ...NOBODY },
      slow,
      { ...slow, grantId: null, ...NOBODY },
      { fencingToken, actor: OPERATOR },
    ]);
    await here.happened(other, 'acquired');
  });

  it('tells what operators did, to whose lease, and why', async () => {
    const lockName = uniqueName();
    const before = await here.now();
    const as = { headers: { 'x-operator': 'oscar' } };
    const created = await here.held({ lockName, workerName: 'maintenance', reason: ' disk is full ' });
    const edited = await here.edit(lockName, {
      fencingToken: created.fencingToken,
      ttl: '2h',
      metadata: { ticket: 7 },
      reason: 'takes longer',
    });
    await here.ask('POST', `locks/${lockName}/force-release`, { json: { reason: 'done' }, ...as });
    await here.service.leaveIdle(lockName);
    await here.deleteReleased(lockName);
    await here.service.leaveExpired(lockName, 'crashed');
    await here.ask('POST', 'clear-expired', as);
    const events = await here.happened(
      lockName,
      'created',
      'edited',
      'forced',
      'deleted',
      'acquired',
      'cleared',
    );
    const maintenance = { workerName: 'maintenance', fencingToken: created.fencingToken };
    const { expireTime } = edited.json as { expireTime: string };
    expect(events).toMatchObject([
      { ...maintenance, actor: OPERATOR, reason: 'disk is full', details: null },
      {
        ...maintenance,
        actor: OPERATOR,
        reason: 'takes longer',
        details: {
          expireTime: { from: created.expireTime, to: expireTime },
          metadata: { from: null, to: { ticket: 7 } },
        },
      },
      { ...maintenance, actor: 'oscar', reason: 'done', details: null },
      { workerName: null, grantId: null, actor: OPERATOR, reason: null },
      { workerName: 'crashed', actor: null },
      { workerName: 'crashed', fencingToken: events[4]!.fencingToken, actor: 'oscar', reason: null },
    ]);
    const grantIds = events.slice(0, 3).map(({ grantId }) => grantId);
    expect(new Set(grantIds).size).toBe(1);
    expect(grantIds[0]).toEqual(expect.any(String));
    const times = [before, ...events.map(({ eventTime }) => Date.parse(eventTime)), await here.now()];
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  it('says what an edit has changed, and nothing else', async () => {
    const lockName = uniqueName();
    const { fencingToken } = await here.held({ lockName, metadata: { a: null } });
    await here.edit(lockName, { fencingToken, metadata: null });
    await here.edit(lockName, { fencingToken, metadata: null });
    await here.edit(lockName, { fencingToken, ttl: '3h' });
    const [, ...edits] = await here.happened(lockName, 'created', 'edited', 'edited', 'edited');
    const time = expect.any(String);
    expect(edits.map(({ details }) => details)).toEqual([
      { metadata: { from: { a: null }, to: null } },
      {},
      { expireTime: { from: time, to: time } },
    ]);
  });

  it('keeps the keys to leases to itself: live ones, those yet to come, and those that open other locks, too', async () => {
    const [lockName, other, contended] = [uniqueName(), uniqueName(), uniqueName()];
    const keys: string[] = [];
    const set = await here.service.locks.acquireSet({
      lockNames: [lockName, other],
      workerName: 'ann',
      grantId: randomUUID(),
      ttl: '1h',
    });
    if (set.outcome !== 'granted') throw new Error('The set is busy.');
    const [lease] = set.leases;
    keys.push(lease!.grantId);
    await here.forceRelease(lockName);
    const holder = await here.lease(contended);
    const waiting = here.lease(contended, { workerName: 'ben', wait: '1m' });
    await here.waitedFor(contended);
    await here.happened(contended, 'acquired', 'waited');
    await here.happened(lockName, 'acquired', 'forced');
    const told = async () =>
      Promise.all(
        [lockName, other, contended].map(
          async (name) => (await here.ask('GET', pathOf(name, 'history'))).text,
        ),
      );
    const before = await told();
    await here.release(holder);
    keys.push(holder.grantId, (await waiting).grantId);
    for (const text of [...before, ...(await told())])
      for (const key of keys) expect(text).not.toContain(key.slice(0, 9));
    expect(before.join()).toContain(toldOf(lease!.grantId));
  });

  it('puts what an operator did after what had happened before, though that is written later', async () => {
    const lockName = uniqueName();
    const lease = await here.lease(lockName);
    await renew(here, lease);
    await there.forceRelease(lockName);
    await there.happened(lockName, 'forced');
    await here.happened(lockName, 'acquired', 'renewed', 'forced');
  });

  it('holds up nobody who takes, renews or releases a lock, and loses nothing, while its table is out of reach', async () => {
    const lockName = uniqueName();
    const session = await BlockingSession.open(here.service.databaseUrl);
    let taken;
    try {
      await session.query('BEGIN');
      await session.query('LOCK TABLE dblock_history IN ACCESS EXCLUSIVE MODE');
      const lease = await here.lease(lockName);
      taken = await here.now();
      await session.awaitWaiter();
      await renew(here, lease);
      await here.release(lease);
      await here.release(await here.lease(lockName));
      await session.letGo();
    } finally {
      await session.close();
    }
    const [acquired] = await here.happened(
      lockName,
      'acquired',
      'renewed',
      'released',
      'acquired',
      'released',
    );
    expect(Date.parse(acquired!.eventTime)).toBeLessThanOrEqual(taken);
  });

  it('is told page by page, each event once, also where many happened at one time', async () => {
    const lockName = uniqueName();
    await here.service.query(
      `INSERT INTO dblock_history (lock_name, event, event_time)
       SELECT $1, 'renewed', timestamptz '2026-01-01 00:00:00.123456Z' + (place / 5) * interval '1 microsecond'
       FROM generate_series(1, 23) AS place
       ORDER BY random()`,
      [lockName],
    );
    const all = (await here.history(lockName, { limit: '200' })).items.map(({ id }) => id);
    expect(new Set(all).size).toBe(23);
    const seen: string[] = [];
    let page = await here.history(lockName, { limit: '4' });
    for (let pages = 1; pages <= 6; pages++) {
      seen.push(...page.items.map(({ id }) => id));
      expect(page.next === null).toBe(pages === 6);
      if (page.next === null) break;
      expect(page.items).toHaveLength(4);
      await here.service.query(
        `INSERT INTO dblock_history (lock_name, event, event_time) VALUES ($1, 'renewed', clock_timestamp())`,
        [lockName],
      );
      page = await here.history(lockName, { limit: '4', before: page.next });
    }
    expect(seen).toEqual(all);
    const exact = await here.history(lockName, { limit: '3', before: seen.at(-4)! });
    expect(exact).toMatchObject({ items: [{}, {}, {}], next: null });
  });

  it('is empty for a lock of which nothing is known', async () => {
    expect(await here.history('unheard of')).toEqual({ items: [], next: null });
  });

  it.each([
    [{ limit: '0' }, 'limit'],
    [{ limit: '201' }, 'limit'],
    [{ limit: 'all' }, 'limit'],
    [{ before: 'yesterday' }, 'before'],
    [{ before: '1-1; DROP TABLE dblock_lock' }, 'before'],
    [{ after: '1-1' }, 'after'],
  ])('refuses the query %j', async (query, field) => {
    const answer = await here.ask('GET', 'locks/job/history', { query: query as Record<string, string> });
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST', issues: [{ field }] } });
  });
});

describe('what operators do', () => {
  it.each([
    ['there is no history', 'ALTER TABLE dblock_history RENAME TO gone'],
    [
      'the history refuses it',
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
       CREATE TRIGGER refuse BEFORE INSERT ON dblock_history FOR EACH ROW EXECUTE FUNCTION refuse()`,
    ],
  ])('changes nothing when %s, while holders go on', async (_, breakIt) => {
    const log = new MemoryLogger();
    await using scene = await AdminScene.open({ logger: log });
    const { fencingToken } = await scene.lease('held');
    await scene.released('released');
    await scene.service.leaveExpired('expired');
    await scene.idle('idle');
    await scene.happened('idle', 'acquired', 'released');
    await scene.service.query(breakIt);
    const before = await scene.service.rows();

    expect((await scene.forceRelease('held')).status).toBe(503);
    expect((await scene.hold({ lockName: 'released', ttl: '1h' })).status).toBe(503);
    expect((await scene.hold({ lockName: 'expired', ttl: '1h' })).status).toBe(503);
    expect((await scene.hold({ lockName: 'new', ttl: '1h' })).status).toBe(503);
    expect((await scene.edit('held', { fencingToken, ttl: '2h', metadata: {} })).status).toBe(503);
    expect((await scene.deleteReleased('idle')).status).toBe(503);
    expect((await scene.clearExpired()).status).toBe(503);
    expect((await scene.forceReleaseAll({ reason: 'test', locks: [{ lockName: 'held' }] })).status).toBe(503);
    expect(await scene.service.rows()).toEqual(before);

    await scene.released('another');
    const gaps = () => log.warnings.filter((warning) => warning.startsWith('The history of locks has gaps'));
    await until('a warning', PATIENCE, () => gaps().length > 0);
  });
});

describe('a history that is switched off', () => {
  it('tells only what operators did, and counts nothing', async () => {
    await using scene = await AdminScene.open({ features: [{ history: false }] });
    const going = await scene.openBeside({ features: [{ history: false }] });
    await going.released('job');
    const { fencingToken } = await going.lease('job');
    await going.service.close();
    await scene.forceRelease('job', { reason: 'hangs' });
    const [forced] = await scene.happened('job', 'forced');
    expect(forced).toMatchObject({ workerName: 'ann', fencingToken, actor: OPERATOR, reason: 'hangs' });
    expect(await scene.read(sessionJson, 'session')).toMatchObject({ history: false });
    const overview = await scene.read(overviewJson, 'overview');
    expect(overview).toMatchObject({ history: false, now: { released: 1 }, hold: { count: 0, p50: null } });
    expect(overview.series.points).toHaveLength(60);
    expect(await scene.service.query('SELECT FROM dblock_history')).toHaveLength(1);
    expect(await scene.service.query('SELECT FROM dblock_statistics')).toHaveLength(0);
  });
});

describe('the shutdown of an application', () => {
  it('writes what has happened until then, the leases that it gives back included', async () => {
    await using scene = await AdminScene.open();
    const going = await scene.openBeside();
    await going.service.app.get(LockClient).acquire('left');
    const released = await going.released('released');
    await going.service.close();
    await scene.happened('left', 'acquired', 'released');
    const events = await scene.happened('released', 'acquired', 'released');
    expect(events.map(({ grantId }) => grantId)).toEqual(Array(2).fill(toldOf(released.grantId)));
    const [counts] = await scene.service.query(
      'SELECT sum(acquired)::int AS acquired FROM dblock_statistics',
    );
    expect(counts).toEqual({ acquired: 2 });
  });
});

describe('trimming the history', () => {
  let scene: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open();
  });
  afterAll(() => scene.service.close());
  afterEach(() => scene.service.query('TRUNCATE dblock_history, dblock_statistics RESTART IDENTITY'));

  const MINUTE = 60_000;

  /** Events with the places from 1, of a given age. */
  const fill = (count: number, age: string) =>
    scene.service.query(
      `INSERT INTO dblock_history (lock_name, event, details, event_time)
       SELECT 'job', 'renewed', jsonb_build_object('place', place), clock_timestamp() - $2::interval
       FROM generate_series(1, $1::int) AS place`,
      [count, age],
    );

  /** What is left of it. The service that is beside writes down what it does itself, about once a second. */
  const left = () =>
    scene.service.query<{ count: number; first: number }>(
      `SELECT count(*)::int AS count, min((details ->> 'place')::int) AS first FROM dblock_history WHERE details ? 'place'`,
    );

  it('removes what is too old, however much that is, and nothing else', async () => {
    await fill(12_345, '8 days');
    await fill(10, '6 days');
    expect(await scene.past.trim(7 * 24 * 60 * MINUTE, 1_000_000)).toBe(12_345);
    expect(await left()).toEqual([{ count: 10, first: 1 }]);
    expect(await scene.past.trim(7 * 24 * 60 * MINUTE, 1_000_000)).toBe(0);
  });

  it('removes what is too much, the oldest first', async () => {
    await fill(8_000, '1 hour');
    expect(await scene.past.trim(24 * 60 * MINUTE, 1_000)).toBe(7_000);
    expect(await left()).toEqual([{ count: 1_000, first: 7_001 }]);
  });

  it('removes what operators did by its age alone: nothing crowds it out', async () => {
    const act = (age: string) =>
      scene.service.query(
        `INSERT INTO dblock_history (lock_name, event, actor, details, event_time)
         VALUES ('job', 'forced', 'olga', '{"place": 0}', clock_timestamp() - $1::interval)`,
        [age],
      );
    await act('8 days');
    await act('6 days');
    await fill(8_000, '1 hour');
    expect(await scene.past.trim(7 * 24 * 60 * MINUTE, 1_000)).toBe(7_001);
    expect(await left()).toEqual([{ count: 1_001, first: 0 }]);
    await fill(500, '1 hour');
    expect(await scene.past.trim(7 * 24 * 60 * MINUTE, 1_000)).toBe(500);
    expect(await left()).toEqual([{ count: 1_001, first: 0 }]);
  });

  it('forgets the counts of minutes that are too old', async () => {
    await scene.service.query(
      `INSERT INTO dblock_statistics (period, hold_times, wait_times, contended)
       SELECT date_trunc('minute', clock_timestamp()) - age * interval '1 hour', '[]', '[]', '{}'
       FROM generate_series(0, 3) AS age`,
    );
    await scene.past.trim(90 * MINUTE, 1_000_000);
    expect(await scene.service.query('SELECT FROM dblock_statistics')).toHaveLength(2);
  });

  it('removes in time what operators did where nothing else is recorded, and idle locks', async () => {
    await scene.idle('idle');
    await scene.lease('held');
    await fill(10, '8 days');
    await fill(5, '6 days');
    const sweeps = jest.spyOn(globalThis, 'setInterval');
    const { calls } = sweeps.mock;
    await using _quiet = await scene.openBeside({ features: [{ history: false, retention: '1m' }] });
    const hourly = calls.filter(([, interval]) => interval === 3_600_000 || interval === MINUTE);
    expect(hourly).toHaveLength(2);
    for (const [sweep] of hourly) sweep();
    await until('both are done', PATIENCE, async () => {
      const [{ count } = { count: NaN }] = await left();
      return count === 5 && (await scene.names()).join() === 'held';
    });
    sweeps.mockRestore();
  });

  it('leaves alone what another server is just trimming', async () => {
    await fill(100, '8 days');
    const session = await BlockingSession.open(scene.service.databaseUrl);
    await session.query('BEGIN');
    await session.query(`SELECT FROM dblock_history WHERE (details ->> 'place')::int <= 40 FOR UPDATE`);
    expect(await scene.past.trim(MINUTE, 1_000)).toBe(60);
    await session.query('COMMIT');
    await session.close();
    expect(await scene.past.trim(MINUTE, 1_000)).toBe(40);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Changes } from '../../libs/db-lock/src/store/history-store.js';
import { entry as happened, HOUR, joined, lease, OTHER_SERVER, released } from './requests.js';
import { STORES, type OpenStore } from './stores.js';

describe.each(STORES)('changes on $name', ({ open }) => {
  let opened: OpenStore;
  let history: OpenStore['history'];
  let last: Changes;

  beforeEach(async () => {
    opened = await open();
    ({ history } = opened);
  });

  afterEach(() => opened.drop());

  const first = async () => (last = await history.changes(undefined, new Map(), 10));
  const next = async (limit = 10) => (last = await history.changes(last.cursor, last.waiting, limit));
  const names = () => last.locks.map(({ lockName }) => lockName).toSorted();

  it('are none at the first look, which tells what is waited for', async () => {
    await lease(opened.store, 'a');
    await history.record([happened('a')]);
    await joined(opened.queue, 'a');
    await joined(opened.queue, 'a');
    await joined(opened.queue, 'none such');
    const { serverTime, cursor, ...rest } = await first();
    expect(serverTime).toBeInstanceOf(Date);
    expect(cursor).toMatch(/^\d+$/);
    expect(rest).toEqual({
      locks: [],
      removed: [],
      truncated: false,
      waiting: new Map([
        ['a', 2],
        ['none such', 1],
      ]),
    });
  });

  it('are none in an empty store, and then what happens first', async () => {
    await first();
    await next();
    expect([last.locks, last.removed, last.truncated]).toEqual([[], [], false]);
    await lease(opened.store, 'a');
    await history.record([happened('a')]);
    await next();
    expect(names()).toEqual(['a']);
  });

  it('are told once, as they are now', async () => {
    await first();
    const held = await lease(opened.store, 'a', { metadata: { x: 1 } });
    await released(opened.store, 'b');
    await lease(opened.store, 'unrecorded');
    await history.record([
      happened('a'),
      happened('b'),
      happened('b', { event: 'released' }),
      happened('gone'),
    ]);
    await next();
    expect(names()).toEqual(['a', 'b']);
    const [a, b] = last.locks.toSorted((one, other) => (one.lockName < other.lockName ? -1 : 1));
    expect(a).toEqual({
      lockName: 'a',
      state: 'held',
      workerName: 'worker',
      fencingToken: held.fencingToken,
      lockTime: held.lockTime,
      expireTime: held.expireTime,
      metadata: { x: 1 },
      serverTime: expect.any(Date),
      waiting: 0,
      lastEvent: expect.any(Number),
    });
    expect(b).toMatchObject({ state: 'released', workerName: null });
    expect(b!.lastEvent).toBeGreaterThan(a!.lastEvent);
    expect(last.removed).toEqual(['gone']);
    expect(last.truncated).toBe(false);
    const seen = a!.lastEvent;
    await next();
    expect([last.locks, last.removed]).toEqual([[], []]);
    await history.record([happened('a')]);
    await next();
    expect(names()).toEqual(['a']);
    expect(last.locks[0]!.lastEvent).toBeGreaterThan(seen);
  });

  it('are passed by where there are more than were asked for', async () => {
    await first();
    for (const name of ['a', 'b', 'c']) await lease(opened.store, name);
    await history.record(['a', 'b', 'c'].map((name) => happened(name)));
    await joined(opened.queue, 'a');
    await next(2);
    expect(last).toMatchObject({ truncated: true, locks: [], removed: [], waiting: new Map([['a', 1]]) });
    await next(2);
    expect(last).toMatchObject({ truncated: false, locks: [], removed: [] });
    await history.record(['a', 'c'].map((name) => happened(name)));
    await next(2);
    expect(last.truncated).toBe(false);
    expect(names()).toEqual(['a', 'c']);
  });

  it('count those that are gone, and those that are waited for', async () => {
    await first();
    await lease(opened.store, 'a');
    await history.record([happened('a'), happened('gone')]);
    await joined(opened.queue, 'b');
    await next(2);
    expect(last.truncated).toBe(true);
  });

  it('of which there were very many are told, or passed by', async () => {
    await first();
    await lease(opened.store, 'a');
    await history.record(Array.from({ length: 50 }, () => happened('a')));
    await next(2);
    expect(names()).toEqual(last.truncated ? [] : ['a']);
    await next(2);
    expect(last).toMatchObject({ truncated: false, locks: [], removed: [] });
  });

  it('are those who come to wait, and go', async () => {
    await lease(opened.store, 'a');
    await lease(opened.store, 'b');
    await first();
    const one = await joined(opened.queue, 'a');
    await next();
    expect(last.locks).toMatchObject([{ lockName: 'a', waiting: 1, lastEvent: 0 }]);
    const other = await joined(opened.queue, 'a', { server: OTHER_SERVER });
    await joined(opened.queue, 'b');
    await next();
    expect(last.locks.map(({ lockName, waiting }) => [lockName, waiting]).toSorted()).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    await next();
    expect(last.locks).toEqual([]);
    await opened.queue.leave([one, other]);
    await next();
    expect(last.locks).toMatchObject([{ lockName: 'a', waiting: 0, lastEvent: 0 }]);
    expect(last.waiting).toEqual(new Map([['b', 1]]));
    await opened.letPass(5_000);
    await next();
    expect(last.locks).toMatchObject([{ lockName: 'b', waiting: 0 }]);
    expect(last.waiting).toEqual(new Map());
  });

  it('are not those who have come and gone meanwhile', async () => {
    await lease(opened.store, 'a');
    await first();
    await opened.queue.leave([await joined(opened.queue, 'a')]);
    await next();
    expect(last.locks).toEqual([]);
  });

  it('go on after all that happened was trimmed', async () => {
    await lease(opened.store, 'a');
    await history.record([happened('a'), happened('a')]);
    await first();
    await opened.letPass(HOUR);
    expect(await history.trim(1_000, 100)).toBe(2);
    await next();
    expect([last.locks, last.truncated]).toEqual([[], false]);
    await history.record([happened('a')]);
    await next();
    expect(names()).toEqual(['a']);
    await next();
    expect(last.locks).toEqual([]);
  });
});

describe.each(STORES)('trimming on $name', ({ open }) => {
  let opened: OpenStore;
  let history: OpenStore['history'];

  beforeEach(async () => {
    opened = await open();
    ({ history } = opened);
  });

  afterEach(() => opened.drop());

  const tokensOf = async (lockName: string) =>
    (await history.of(lockName, { limit: 200 })).map(({ fencingToken }) => fencingToken);

  it('removes what is old', async () => {
    await history.record([happened('a', { fencingToken: 1 }), happened('b', { fencingToken: 2 })]);
    await opened.letPass(HOUR);
    await history.record([happened('a', { fencingToken: 3 })]);
    expect(await history.trim(2 * HOUR, 100)).toBe(0);
    expect(await history.trim(HOUR / 2, 100)).toBe(2);
    expect([await tokensOf('a'), await tokensOf('b')]).toEqual([[3], []]);
  });

  it('removes what is too much, from the old end', async () => {
    await history.record([1, 2, 3, 4, 5].map((fencingToken) => happened('a', { fencingToken })));
    expect(await history.trim(HOUR, 3)).toBe(2);
    expect(await tokensOf('a')).toEqual([5, 4, 3]);
    expect(await history.trim(HOUR, 3)).toBe(0);
  });

  it('lets what operators did go by its age only', async () => {
    const { store, desk } = opened;
    await lease(store, 'a');
    await desk.forceRelease([{ lockName: 'a', actor: 'ann', reason: 'r' }]);
    await history.record([1, 2, 3].map((fencingToken) => happened('a', { fencingToken })));
    expect(await history.trim(HOUR, 1)).toBe(2);
    expect(await history.of('a', { limit: 10 })).toMatchObject([
      { event: 'acquired', fencingToken: 3 },
      { event: 'forced', actor: 'ann' },
    ]);
    await opened.letPass(HOUR);
    expect(await history.trim(HOUR / 2, 1)).toBe(2);
    expect(await tokensOf('a')).toEqual([]);
  });

  it('goes through as much as there is', async () => {
    const COUNT = 12_000;
    for (let from = 0; from < COUNT; from += 3_000)
      await history.record(
        Array.from({ length: 3_000 }, (_, index) => happened('many', { fencingToken: from + index })),
      );
    expect(await history.trim(HOUR, COUNT - 6_000)).toBe(6_000);
    expect((await tokensOf('many'))[0]).toBe(COUNT - 1);
    await opened.letPass(HOUR);
    expect(await history.trim(HOUR / 2, COUNT)).toBe(6_000);
    expect(await tokensOf('many')).toEqual([]);
  });
});

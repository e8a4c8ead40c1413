import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { byBytes } from '../../libs/db-lock/src/lease/names.js';
import type { SortField } from '../../libs/db-lock/src/store/lock-desk.js';
import type { LockRecord } from '../../libs/db-lock/src/store/lock-store.js';
import { acquisition, HOUR, joined, lease, namesOf, OTHER_SERVER, released, SERVER } from './requests.js';
import type { Waiter } from '../../libs/db-lock/src/store/wait-queue.js';
import { STORES, type OpenStore } from './stores.js';

const SORT_FIELDS: SortField[] = [
  'lockName',
  'workerName',
  'lockTime',
  'expireTime',
  'fencingToken',
  'waiting',
];

/** Null comes last. */
function compare(one: LockRecord[SortField], other: LockRecord[SortField], order: 'asc' | 'desc'): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  const difference = typeof one === 'string' ? byBytes(one, String(other)) : Number(one) - Number(other);
  return order === 'asc' ? difference : -difference;
}

const SPECIAL = [
  '%',
  '_',
  '*',
  '?',
  '[',
  ']',
  '[a]',
  '[^a]',
  '\\',
  '^',
  '-',
  "'",
  '"',
  '#',
  '!',
  '{',
  '.*',
  '\t',
];

describe.each(STORES)('the list of locks on $name', ({ open, caseless }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];
  let desk: OpenStore['desk'];
  const waiters: Waiter[] = [];

  beforeAll(async () => {
    opened = await open();
    ({ store, desk } = opened);
  });

  /** However long the tests take, they stay alive. */
  beforeEach(() => opened.queue.join(SERVER, waiters));

  afterAll(() => opened.drop());

  describe('sorted', () => {
    const prefix = 'sorted/';
    let locks: LockRecord[];

    beforeAll(async () => {
      const held = ['b', 'B', 'a', 'ä', 'Z', 'z', '🔒', '\uffee', 'aa', 'a b'];
      for (const [index, name] of held.entries())
        await lease(store, prefix + name, {
          workerName: `worker ${['b', 'B', 'a', 'é', 'e'][index % 5]}`,
          ttl: HOUR * (1 + (index % 4)),
        });
      for (const name of ['released', 'Released']) await released(store, prefix + name);
      for (let count = 0; count < 12; count++) waiters.push(await joined(opened.queue, `${prefix}a`));
      for (const name of ['Z', 'ä', 'ä']) waiters.push(await joined(opened.queue, prefix + name));
      locks = (await desk.page({ sort: 'lockName', order: 'asc', page: 1, pageSize: 200, prefix })).items;
    });

    it('by name, by bytes', () => {
      const names = locks.map(({ lockName }) => lockName);
      expect(names).toHaveLength(12);
      expect(names).toEqual(names.toSorted(byBytes));
    });

    describe.each(SORT_FIELDS)('by %s', (sort) => {
      it.each(['asc', 'desc'] as const)('%s, those without one last, and then by name', async (order) => {
        const { items } = await desk.page({ sort, order, page: 1, pageSize: 200, prefix });
        const expected = locks.toSorted((one, other) => compare(one[sort], other[sort], order));
        // Some databases know times to the microsecond.
        const isExact = sort !== 'lockTime' && sort !== 'expireTime';
        const shown = ({ lockName, [sort]: value }: LockRecord) => (isExact ? [lockName, value] : value);
        expect(items.map(shown)).toEqual(expected.map(shown));
      });

      it.each(['asc', 'desc'] as const)('%s, page by page', async (order) => {
        const all = await namesOf(desk, { sort, order, prefix });
        const pages: string[][] = [];
        for (const page of [1, 2, 3, 4, 5])
          pages.push(await namesOf(desk, { sort, order, prefix, page, pageSize: 4 }));
        expect(pages).toEqual([all.slice(0, 4), all.slice(4, 8), all.slice(8), [], []]);
      });
    });

    it('tells when that was, also of an empty page', async () => {
      const { items, serverTime } = await desk.page({
        sort: 'waiting',
        order: 'asc',
        page: 9,
        pageSize: 10,
      });
      expect(items).toEqual([]);
      expect(Math.abs(serverTime.getTime() - (await opened.history.now()).getTime())).toBeLessThan(60_000);
    });
  });

  describe('searched', () => {
    const prefix = 'searched/';
    const NAMES = [
      'Job',
      'my-JOBS',
      'JÖB',
      'jöb',
      'jo\u0308b',
      'ЗАДАЧА',
      '任务',
      '👩‍👧',
      'straße',
      'GROẞ',
      'STRASSE',
      'ǅ',
      'ı',
      'ΟΔΟΣ',
    ];

    beforeAll(async () => {
      for (const name of [...NAMES, ...SPECIAL.map((text) => `x${text}y`)])
        await lease(store, prefix + name, { workerName: 'plain' });
      await lease(store, `${prefix}by worker`, { workerName: 'Ünal [1]' });
      await released(store, `${prefix}free`);
    });

    const found = async (search: string) =>
      (await namesOf(desk, { search, prefix })).map((name) => name.slice(prefix.length));

    const searches: Array<[search: string, names: string[]]> = [
      ['job', ['Job', 'my-JOBS']],
      ['OB', ['Job', 'my-JOBS']],
      ['JÖB', ['JÖB', 'jöb']],
      ['öb', ['JÖB', 'jöb']],
      ['o\u0308', ['jo\u0308b']],
      ['дач', ['ЗАДАЧА']],
      ['务', ['任务']],
      ['👧', ['👩‍👧']],
      ['ß', ['GROẞ', 'straße']],
      ['groß', ['GROẞ']],
      ['ǆ', ['ǅ']],
      ['ı', ['ı']],
      ['Σ', ['ΟΔΟΣ']],
      ['δοσ'.toUpperCase(), ['ΟΔΟΣ']],
      ['STRASSE', ['STRASSE']],
      ['RASS', ['STRASSE']],
      ['ünal', ['by worker']],
      ['L [1', ['by worker']],
      ['nothing such', []],
      ['nothing '.repeat(31), []],
    ];
    const findable = searches.filter(
      ([search, names]) => caseless === undefined || ![search, ...names].join('').includes(caseless),
    );

    it.each(findable)('finds %j', async (search, names) => {
      expect(await found(search)).toEqual(names.toSorted(byBytes));
      expect(await desk.count({ search, prefix })).toBe(names.length);
    });

    it.each(SPECIAL)('takes %j for itself', async (text) => {
      const names = SPECIAL.map((special) => `x${special}y`);
      expect(await found(`x${text}y`)).toEqual([`x${text}y`]);
      expect((await found(text)).filter((name) => name.startsWith('x'))).toEqual(
        names.filter((name) => name.includes(text)).toSorted(byBytes),
      );
    });

    it('finds all by nothing', async () => {
      expect(await found('')).toHaveLength(NAMES.length + SPECIAL.length + 2);
    });
  });

  describe('by prefix', () => {
    beforeAll(async () => {
      for (const name of [...SPECIAL, 'Case', 'case', 'cäse', '🔒', '🔓']) {
        await lease(store, `by/${name}:1`);
        await lease(store, `by/${name}:2`);
      }
    });

    it.each([...SPECIAL, 'Case', 'case', 'cäse', '🔒'])('knows by/%s from others', async (name) => {
      const prefix = `by/${name}:`;
      expect(await namesOf(desk, { prefix })).toEqual([`${prefix}1`, `${prefix}2`]);
      expect(await desk.count({ prefix })).toBe(2);
      expect(await desk.count({ prefix, search: '1' })).toBe(1);
    });

    it('finds nothing by more than a name', async () => {
      expect(await namesOf(desk, { prefix: 'by/Case:12' })).toEqual([]);
      expect(await namesOf(desk, { prefix: 'y/Case' })).toEqual([]);
    });
  });

  describe('in groups', () => {
    const prefix = 'groups:';

    beforeAll(async () => {
      const held = ['a:1', 'a:2', 'a:b:c', 'a!:1', 'a', ':', '::', 'ä:1', 'A:1', '🔒:1', 'z%:1', "q':1"];
      for (const name of held) await lease(store, prefix + name);
      await released(store, `${prefix}a:free`);
      for (const name of ['a:1', 'a:1', 'a:b:c']) waiters.push(await joined(opened.queue, prefix + name));
    });

    it('puts names together that are the same up to the next colon', async () => {
      const groups = await desk.groups({ prefix }, 200);
      const one = { total: 1, held: 1, expired: 0, released: 0, waiting: 0 };
      expect(groups).toEqual([
        { ...one, prefix: `${prefix}:`, total: 2, held: 2 },
        { ...one, prefix: `${prefix}A:` },
        { ...one, prefix: `${prefix}a!:` },
        { prefix: `${prefix}a:`, total: 4, held: 3, expired: 0, released: 1, waiting: 3 },
        { ...one, prefix: `${prefix}q':` },
        { ...one, prefix: `${prefix}z%:` },
        { ...one, prefix: `${prefix}ä:` },
        { ...one, prefix: `${prefix}🔒:` },
      ]);
    });

    it('goes deeper, and cuts names in two', async () => {
      expect(await desk.groups({ prefix: `${prefix}a:` }, 10)).toMatchObject([
        { prefix: `${prefix}a:b:`, total: 1 },
      ]);
      expect((await desk.groups({ prefix: 'grou' }, 10)).map(({ prefix }) => prefix)).toEqual(['groups:']);
      expect(await desk.groups({ prefix: `${prefix}🔒:` }, 10)).toEqual([]);
    });

    it('keeps to the limit, and to the filter', async () => {
      const groups = await desk.groups({ prefix }, 3);
      expect(groups.map(({ prefix }) => prefix)).toEqual(['groups::', 'groups:A:', 'groups:a!:']);
      expect(await desk.groups({ prefix, state: 'released' }, 10)).toEqual([
        { prefix: `${prefix}a:`, total: 1, held: 0, expired: 0, released: 1, waiting: 0 },
      ]);
      expect(await desk.groups({ prefix, state: 'contended' }, 10)).toMatchObject([
        { prefix: `${prefix}a:`, total: 2, waiting: 3 },
      ]);
      expect(await desk.groups({ prefix, search: 'FREE' }, 10)).toMatchObject([
        { prefix: `${prefix}a:`, total: 1 },
      ]);
    });
  });
});

describe.each(STORES)('the states of locks on $name', ({ open }) => {
  let opened: OpenStore;
  const waiters: Waiter[] = [];

  beforeEach(() => opened.queue.join(SERVER, waiters));

  beforeAll(async () => {
    opened = await open({ clockTolerance: 60_000 });
    const { store, queue } = opened;
    await lease(store, 'expired', { ttl: 1_000 });
    await lease(store, 'expired and waited for', { ttl: 1_000 });
    const kept = await lease(store, 'was kept');
    await store.release([{ ...kept, version: undefined, minHold: 1_000 }]);
    await joined(queue, 'held', { server: OTHER_SERVER });
    await opened.letPass(10_000);
    await lease(store, 'held');
    await lease(store, 'held and waited for');
    await released(store, 'released');
    const stillKept = await lease(store, 'is kept');
    await store.release([{ ...stillKept, version: undefined, minHold: HOUR }]);
    for (const name of ['expired and waited for', 'held and waited for', 'held and waited for'])
      waiters.push(await joined(queue, name));
  });

  afterAll(() => opened.drop());

  it.each([
    ['held', ['held', 'held and waited for', 'is kept']],
    ['expired', ['expired', 'expired and waited for']],
    ['released', ['released', 'was kept']],
    ['contended', ['expired and waited for', 'held and waited for']],
  ] as const)('%s', async (state, names) => {
    expect(await namesOf(opened.desk, { state })).toEqual(names);
    expect(await opened.desk.count({ state })).toBe(names.length);
  });

  it('are counted', async () => {
    expect(await opened.desk.countByState()).toEqual({
      held: 3,
      expired: 2,
      released: 2,
      contended: 2,
      waiting: 3,
    });
  });

  it.each(['asc', 'desc'] as const)(
    'come last, sorted by workers (%s), where nobody has a lock',
    async (order) => {
      const { items } = await opened.desk.page({ sort: 'workerName', order, page: 1, pageSize: 10 });
      expect(items.slice(-2).map(({ lockName }) => lockName)).toEqual(['released', 'was kept']);
    },
  );

  it('hide what is over', async () => {
    const { items } = await opened.desk.page({
      sort: 'lockName',
      order: 'asc',
      page: 1,
      pageSize: 10,
      state: 'released',
    });
    for (const { workerName, metadata } of items) expect([workerName, metadata]).toEqual([null, null]);
  });
});

describe.each(STORES)('many locks on $name', ({ open }) => {
  /** More than two of the parts in which SQLite is read. */
  const COUNT = 12_000;

  const nameAt = (index: number) =>
    `many:${String(index % 100).padStart(2, '0')}:${String(index).padStart(5, '0')}`;

  let opened: OpenStore;
  let names: string[];

  beforeAll(async () => {
    opened = await open();
    const { store, desk } = opened;
    names = Array.from({ length: COUNT }, (_, index) => nameAt(index));
    for (let from = 0; from < COUNT; from += 2_000)
      await store.acquire(
        names
          .slice(from, from + 2_000)
          .map((lockName, index) =>
            acquisition(lockName, { workerName: `worker ${((from + index) * 7) % COUNT}`, ttl: HOUR }),
          ),
      );
    names.sort();
    await opened.letPass(2 * HOUR);
    expect(await desk.count({})).toBe(COUNT);
  });

  afterAll(() => opened.drop());

  const listed = async (filter: object, chunk: number) => {
    const chunks: number[] = [];
    const all: string[] = [];
    for await (const locks of opened.desk.listAll(filter, chunk)) {
      chunks.push(locks.length);
      all.push(...locks.map(({ lockName }) => lockName));
    }
    return { chunks, all };
  };

  it('are listed in chunks', async () => {
    const { chunks, all } = await listed({}, 3_500);
    expect(chunks).toEqual([3_500, 3_500, 3_500, 1_500]);
    expect(all).toEqual(names);
    expect((await listed({}, COUNT)).chunks).toEqual([COUNT]);
    expect((await listed({}, 100_000)).chunks).toEqual([COUNT]);
    expect((await listed({ state: 'held' }, 10)).chunks).toEqual([]);
    const some = await listed({ search: ':0999' }, 3);
    expect(some.chunks).toEqual([3, 3, 3, 1]);
    expect(some.all).toEqual(names.filter((name) => name.includes(':0999')));
  });

  it('are paged beyond the first part', async () => {
    for (const order of ['asc', 'desc'] as const) {
      const expected = order === 'asc' ? names : names.toReversed();
      for (const page of [1, 25, 26, 50, 60])
        expect(await namesOf(opened.desk, { order, page, pageSize: 200 })).toEqual(
          expected.slice((page - 1) * 200, page * 200),
        );
    }
    const { items } = await opened.desk.page({ sort: 'workerName', order: 'asc', page: 30, pageSize: 200 });
    const workers = names.map((_, index) => `worker ${index}`).sort();
    expect(items.map(({ workerName }) => workerName)).toEqual(workers.slice(29 * 200, 30 * 200));
  });

  it('are put into groups across parts', async () => {
    expect(await opened.desk.groups({}, 10)).toEqual([
      { prefix: 'many:', total: COUNT, held: 0, expired: COUNT, released: 0, waiting: 0 },
    ]);
    const groups = await opened.desk.groups({ prefix: 'many:' }, 1_000);
    expect(groups).toHaveLength(100);
    for (const { total } of groups) expect(total).toBe(COUNT / 100);
    const few = await opened.desk.groups({ prefix: 'many:' }, 42);
    expect(few).toEqual(groups.slice(0, 42));
  });

  it('are counted by state, and cleared', async () => {
    const { desk } = opened;
    const none = { held: 0, expired: 0, released: 0, contended: 0, waiting: 0 };
    expect(await desk.countByState()).toEqual({ ...none, expired: COUNT });
    expect(await desk.clearExpired()).toBe(COUNT);
    expect(await desk.countByState()).toEqual({ ...none, released: COUNT });
    expect(await opened.history.of(names[0]!, { limit: 10 })).toEqual([]);
    expect(await opened.store.removeIdle(60_000)).toBe(COUNT);
    expect(await desk.count({})).toBe(0);
  });
});

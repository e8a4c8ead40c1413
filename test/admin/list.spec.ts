import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inspectedLockJson } from '../../libs/db-lock/src/server/schemas.js';
import { AdminScene } from './scene.js';

const sorted = (names: string[]) =>
  names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));

describe('the list of locks', () => {
  let scene: AdminScene;
  const stop = new AbortController();
  const waits: Array<Promise<unknown>> = [];

  /** In the order of their creation, which is that of their tokens. */
  const NAMES = ['orders:7', 'orders:10', 'Orders:1', 'plain', 'orders:7:lines', 'mail'];

  beforeAll(async () => {
    scene = await AdminScene.open();
    const workers = ['zoe', 'ann', 'bob', 'Ann-2'];
    for (const [index, lockName] of NAMES.slice(0, 4).entries())
      await scene.lease(lockName, { workerName: workers[index], ttl: `${10 - index}h` });
    await scene.released('orders:7:lines');
    await scene.service.leaveExpired('mail', 'crashed');
    const wait = (lockName: string) =>
      waits.push(
        scene.service.locks
          .acquire(
            { lockName, workerName: 'ben', grantId: crypto.randomUUID(), ttl: 1000, wait: '1h' },
            stop.signal,
          )
          .catch(() => {}),
      );
    for (let count = 1; count <= 3; count++) {
      wait('plain');
      await scene.waitedFor('plain', count);
    }
    wait('orders:10');
    await scene.waitedFor('orders:10');
  });

  afterAll(async () => {
    stop.abort();
    await Promise.all(waits);
    await scene.service.close();
  });

  it('tells of each lock what is known of it, and when that was', async () => {
    const { items, total, serverTime } = await scene.list({ search: 'plain' });
    expect(total).toBe(1);
    expect(items).toEqual([
      {
        lockName: 'plain',
        state: 'held',
        workerName: 'Ann-2',
        fencingToken: expect.any(Number),
        lockTime: expect.any(String),
        expireTime: expect.any(String),
        serverTime: expect.any(String),
        metadata: null,
        waiting: 3,
        mode: 'exclusive',
        holderCount: 1,
      },
    ]);
    const [lock] = items;
    expect(Date.parse(lock!.expireTime) - Date.parse(lock!.lockTime)).toBe(7 * 3_600_000);
    expect(Math.abs(Date.parse(serverTime) - (await scene.now()))).toBeLessThan(10_000);
  });

  it('comes in the order of the names, byte by byte, without being told', async () => {
    expect(await scene.names()).toEqual(sorted(NAMES));
  });

  it.each([
    ['lockName', sorted(NAMES)],
    ['lockTime', NAMES],
    ['fencingToken', NAMES],
    ['expireTime', ['orders:7:lines', 'mail', 'plain', 'Orders:1', 'orders:10', 'orders:7']],
    ['waiting', ['Orders:1', 'mail', 'orders:7', 'orders:7:lines', 'orders:10', 'plain']],
  ])('comes in the order of %s, both ways', async (sort, expected) => {
    expect(await scene.names({ sort })).toEqual(expected);
    const backwards = await scene.names({ sort, order: 'desc' });
    if (sort === 'waiting') {
      expect(backwards.slice(0, 2)).toEqual(['plain', 'orders:10']);
      expect(backwards.slice(2)).toEqual(expected.slice(0, 4));
    } else expect(backwards).toEqual(expected.toReversed());
  });

  it("comes in the order of the workers' names, with nobody's at the end, both ways", async () => {
    const workers = async (order: string) =>
      (await scene.list({ sort: 'workerName', order })).items.map(({ workerName }) => workerName);
    const [up, down] = [await workers('asc'), await workers('desc')];
    expect(up.at(-1)).toBeNull();
    expect(down.at(-1)).toBeNull();
    expect(down.slice(0, -1)).toEqual(up.slice(0, -1).toReversed());
    expect(sorted(up.slice(0, -1) as string[])).toEqual(['Ann-2', 'ann', 'bob', 'crashed', 'zoe']);
  });

  it.each([
    ['held', ['Orders:1', 'orders:10', 'orders:7', 'plain']],
    ['contended', ['orders:10', 'plain']],
    ['expired', ['mail']],
    ['released', ['orders:7:lines']],
  ])('shows the %s ones alone', async (state, expected) => {
    const { items, total } = await scene.list({ state });
    expect(items.map(({ lockName }) => lockName)).toEqual(expected);
    expect(total).toBe(expected.length);
    if (state !== 'contended') expect(new Set(items.map((lock) => lock.state))).toEqual(new Set([state]));
  });

  it.each([
    ['ANN', ['orders:10', 'plain']],
    ['orders', ['Orders:1', 'orders:10', 'orders:7', 'orders:7:lines']],
    ['ders:7', ['orders:7', 'orders:7:lines']],
    ['', sorted(NAMES)],
    ['nothing of the kind', []],
  ])('finds %j anywhere in both names, whatever the case', async (search, expected) => {
    expect(await scene.names({ search })).toEqual(expected);
  });

  it.each([
    ['orders:', ['orders:10', 'orders:7', 'orders:7:lines']],
    ['orders:7', ['orders:7', 'orders:7:lines']],
    ['O', ['Orders:1']],
    ['rders', []],
    ['', sorted(NAMES)],
  ])('shows those that begin with %j, exactly', async (prefix, expected) => {
    expect(await scene.names({ prefix })).toEqual(expected);
  });

  it('takes all filters at once', async () => {
    const query = { search: 'ann', state: 'contended', prefix: 'orders:' };
    expect(await scene.names(query)).toEqual(['orders:10']);
    expect(await scene.names({ ...query, state: 'released' })).toEqual([]);
  });

  it('comes in pages, which together are all of it', async () => {
    const pages = [];
    for (let page = 1; page <= 4; page++) pages.push(await scene.list({ page: String(page), pageSize: '2' }));
    expect(pages.map(({ total }) => total)).toEqual([6, 6, 6, 6]);
    expect(pages.map(({ items }) => items.map(({ lockName }) => lockName))).toEqual([
      sorted(NAMES).slice(0, 2),
      sorted(NAMES).slice(2, 4),
      sorted(NAMES).slice(4),
      [],
    ]);
  });

  it('counts how many are in which state, and how many wait', async () => {
    expect((await scene.ask('GET', 'counts')).json).toEqual({
      held: 4,
      expired: 1,
      released: 1,
      contended: 2,
      waiting: 4,
    });
  });

  it('leads to one lock, with those who wait for it, in their order', async () => {
    const lock = await scene.inspect('plain');
    expect(lock).toMatchObject({ lockName: 'plain', state: 'held', waiting: 3 });
    expect(lock.queue.map(({ workerName }) => workerName)).toEqual(['ben', 'ben', 'ben']);
    const since = lock.queue.map((waiter) => Date.parse(waiter.since));
    expect(since).toEqual(since.toSorted((one, other) => one - other));
    const { permits: _permits, limits: _limits, ...ofAll } = inspectedLockJson.shape; // in shared mode only
    expect(Object.keys(ofAll).sort()).toEqual(Object.keys(lock).sort());
    expect((await scene.ask('GET', 'locks/unheard%20of')).json).toMatchObject({
      status: 404,
      code: 'LOCK_NOT_FOUND',
    });
  });

  it('never tells the key to a lease', async () => {
    const keys = (await scene.service.rows()).flatMap(({ grant_id }) => grant_id ?? []);
    const queued = await scene.service.query<{ grant_id: string }>('SELECT grant_id FROM dblock_waiter');
    const told = await Promise.all(
      ['locks', 'locks/plain', 'locks/plain/history', 'groups', 'overview', 'locks.csv', 'counts'].map(
        async (path) => (await scene.ask('GET', path)).text,
      ),
    );
    expect(keys).toHaveLength(5);
    expect(queued).toHaveLength(4);
    for (const key of [...keys, ...queued.map(({ grant_id }) => grant_id)])
      expect(told.join()).not.toContain(key);
  });

  it.each([
    ['locks', { state: 'busy' }, 'state'],
    ['locks', { sort: 'grantId' }, 'sort'],
    ['locks', { order: 'up' }, 'order'],
    ['locks', { page: '0' }, 'page'],
    ['locks', { page: '1.5' }, 'page'],
    ['locks', { page: '1000001' }, 'page'],
    ['locks', { page: '0x10' }, 'page'],
    ['locks', { page: '1e2' }, 'page'],
    ['locks', { page: '' }, 'page'],
    ['locks', { page: '-1' }, 'page'],
    ['locks', { pageSize: '201' }, 'pageSize'],
    ['locks', { pageSize: 'many' }, 'pageSize'],
    ['locks', { search: 'a\0b' }, 'search'],
    ['locks', { search: 'x'.repeat(256) }, 'search'],
    ['locks', { prefix: '\0' }, 'prefix'],
    ['locks', { colour: 'red' }, 'colour'],
    ['groups', { state: 'busy' }, 'state'],
    ['groups', { prefix: 'x'.repeat(256) }, 'prefix'],
    ['groups', { sort: 'lockName' }, 'sort'],
    ['locks/plain/history', { limit: '0x10' }, 'limit'],
    ['locks.csv', { state: 'busy' }, 'state'],
    ['locks.csv', { page: '2' }, 'page'],
    ['overview', { range: '2h' }, 'range'],
    ['overview', { from: '1' }, 'from'],
  ])('refuses %s with %j', async (path, query, field) => {
    const answer = await scene.ask('GET', path, { query: query as unknown as Record<string, string> });
    expect(answer).toMatchObject({
      status: 400,
      json: { code: 'INVALID_REQUEST', issues: [{ field, rule: expect.stringMatching(/^(must|is)/) }] },
    });
  });

  it('refuses in code what it refuses by HTTP', async () => {
    const { desk } = scene.service.locks;
    await expect(desk.overview('2h' as never)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      issues: [{ field: 'range', rule: 'must be one of 1h, 6h, 24h, 7d' }],
    });
    await expect(desk.list({ page: 0 })).rejects.toMatchObject({ issues: [{ field: 'page' }] });
    expect(await desk.list({ page: 2, pageSize: 4 })).toMatchObject({ total: NAMES.length });
  });

  it('refuses a filter that is given twice', async () => {
    const answer = await scene.ask('GET', 'locks', { query: 'state=held&state=released' });
    expect(answer).toMatchObject({ status: 400, json: { issues: [{ field: 'state' }] } });
  });
});

describe('names with characters that searches take for something else', () => {
  let scene: AdminScene;
  const NAMES = [
    '100%',
    '100x',
    'a_b',
    'axb',
    'a\\b',
    'a\\\\b',
    'a*b',
    "it's",
    'jöb:1',
    'jo\u0308b:1',
    '任务:42',
    '🔒:🔑',
  ];

  beforeAll(async () => {
    scene = await AdminScene.open();
    for (const name of NAMES) await scene.lease(name, { workerName: 'w' });
  });
  afterAll(() => scene.service.close());

  it.each([
    ['%', ['100%']],
    ['_', ['a_b']],
    ['\\', ['a\\b', 'a\\\\b']],
    ['\\\\', ['a\\\\b']],
    ['*', ['a*b']],
    ["'", ["it's"]],
    ['ö', ['jöb:1']],
    ['o\u0308', ['jo\u0308b:1']],
    ['务', ['任务:42']],
    ['🔑', ['🔒:🔑']],
  ])('are found by %j itself, in the middle and at the start', async (text, expected) => {
    expect(sorted(await scene.names({ search: text }))).toEqual(sorted(expected));
    for (const name of expected) {
      const prefix = name.slice(0, name.indexOf(text) + text.length);
      const all = NAMES.filter((other) => other.startsWith(prefix));
      expect(sorted(await scene.names({ prefix }))).toEqual(sorted(all));
    }
  });

  it('are grouped by them', async () => {
    const { items } = await scene.groups();
    expect(items.map(({ prefix }) => prefix)).toEqual(sorted(['jöb:', 'jo\u0308b:', '任务:', '🔒:']));
    expect(await scene.groups({ prefix: 'jö' })).toMatchObject({ items: [{ prefix: 'jöb:', total: 1 }] });
  });
});

describe('the groups of names', () => {
  let scene: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open();
    for (const name of ['a:1', 'a:2', 'a:b:1', 'a:b:c:1', 'ab:1', 'plain', ':', '::', 'a:'])
      await scene.lease(name);
    await scene.released('a:free');
    await scene.service.leaveExpired('a:b:late');
  });
  afterAll(() => scene.service.close());

  const totals = async (query?: Record<string, string>) =>
    Object.fromEntries((await scene.groups(query)).items.map(({ prefix, total }) => [prefix, total]));

  it('reach up to the next colon, with what is in them', async () => {
    await using other = await scene.openBeside();
    const waiting = other.acquire('a:1', { wait: '1h' }).catch(() => {});
    await scene.waitedFor('a:1');
    expect(await scene.groups()).toEqual({
      items: [
        { prefix: ':', total: 2, held: 2, expired: 0, released: 0, waiting: 0 },
        { prefix: 'a:', total: 7, held: 5, expired: 1, released: 1, waiting: 1 },
        { prefix: 'ab:', total: 1, held: 1, expired: 0, released: 0, waiting: 0 },
      ],
      truncated: false,
    });
    await scene.forceRelease('a:1');
    await waiting;
  });

  it('lead further down, level by level', async () => {
    expect(await totals({ prefix: 'a:' })).toEqual({ 'a:b:': 3 });
    expect(await totals({ prefix: 'a:b:' })).toEqual({ 'a:b:c:': 1 });
    expect(await totals({ prefix: 'a:b:c:' })).toEqual({});
    expect(await totals({ prefix: ':' })).toEqual({ '::': 1 });
    expect(await totals({ prefix: 'a' })).toEqual({ 'a:': 7, 'ab:': 1 });
  });

  it('hold only what matches', async () => {
    expect(await totals({ state: 'expired' })).toEqual({ 'a:': 1 });
    expect(await totals({ search: 'B:', prefix: 'a' })).toEqual({ 'a:': 3, 'ab:': 1 });
    expect(await totals({ search: 'nothing' })).toEqual({});
  });

  it('are the first two hundred, by name, and say when there are more', async () => {
    await scene.service.query(
      `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time)
       SELECT 'many:' || lpad(place::text, 3, '0') || ':x', 1, now(), now() FROM generate_series(1, 200) AS place`,
    );
    const full = await scene.groups({ prefix: 'many:' });
    expect(full.truncated).toBe(false);
    expect(full.items).toHaveLength(200);
    await scene.released('many:000:x');
    const cut = await scene.groups({ prefix: 'many:' });
    expect(cut.truncated).toBe(true);
    expect(cut.items.map(({ prefix }) => prefix)).toEqual(
      Array.from({ length: 200 }, (_, index) => `many:${String(index).padStart(3, '0')}:`),
    );
  });
});

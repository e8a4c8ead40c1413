import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { CacheModule } from '@nestjs/cache-manager';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Keyv } from 'keyv';
import { LockClient, LockServer, StoreUnavailableError, type DbLockModuleOptions } from 'nestjs-db-lock';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const CACHE_MANAGER = 'CACHE_MANAGER';

interface Answer {
  items: Array<{ state: string }>;
  released: number;
}

describe("The admin's reads", () => {
  let database: TestDatabase;
  let app: INestApplication | undefined;
  let origin: string;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await app?.close();
    app = undefined;
  });

  afterAll(() => database.drop());

  async function start(metadata: ModuleMetadata, features: DbLockModuleOptions[] = [{}]) {
    app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features,
      metadata,
    });
    origin = await listen(app);
    const { desk } = app.get(LockServer);
    return {
      locks: app.get(LockClient),
      list: jest.spyOn(desk, 'list'),
      pageRead: jest.spyOn(desk, 'listChecked'),
      countByState: jest.spyOn(desk, 'countByState'),
    };
  }

  const get = async (path: string) => (await fetch(`${origin}/dblock/${path}`)).json() as Promise<Answer>;

  const post = async (path: string, body: object) => {
    const answer = await fetch(`${origin}/dblock/admin/api/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
  };

  /** A cached value is as young as it was: a slow machine must not let it expire. */
  const stopTheClock = () => jest.spyOn(Date, 'now').mockReturnValue(Date.now());

  const caches: Array<[string, () => object]> = [
    ['the default store', () => ({})],
    ['a store that keeps JSON', () => ({ stores: [new Keyv({ store: new Map() })] })],
  ];

  it.each(caches)('are read once in a while for many who look: %s', async (_, options) => {
    const { locks, pageRead, countByState } = await start({
      imports: [CacheModule.register({ isGlobal: true, ...options() })],
    });
    await using lease = await locks.acquire('watched', { metadata: { seen: 'by many' } });
    stopTheClock();
    const page = await get('admin/api/locks?search=watched');
    const counts = await get('admin/api/counts');
    expect(page).toMatchObject({
      total: 1,
      items: [{ lockName: 'watched', lockTime: lease.lockTime.toISOString(), metadata: { seen: 'by many' } }],
    });
    for (let looks = 0; looks < 3; looks++) {
      expect(await get('admin/api/locks?search=watched')).toEqual(page);
      expect(await get('admin/api/counts')).toEqual(counts);
    }
    expect(pageRead).toHaveBeenCalledTimes(1);
    expect(countByState).toHaveBeenCalledTimes(1);
    expect(await get('admin/api/locks?search=other')).toMatchObject({ total: 0 });
    expect(pageRead).toHaveBeenCalledTimes(2);
  });

  it('are cached for a second, by a CacheModule that one feature imports, for each feature apart', async () => {
    const { pageRead } = await start({}, [
      { imports: [CacheModule.register()] },
      { feature: 'other', path: 'other' },
    ]);
    const wrap = jest.spyOn(
      app!.get<{ wrap(...args: unknown[]): unknown }>(CACHE_MANAGER, { strict: false }),
      'wrap',
    );
    stopTheClock();
    await get('admin/api/locks');
    await get('../other/admin/api/locks');
    const [[ours, , ttl], [theirs]] = wrap.mock.calls as [unknown[], unknown[]];
    expect(ttl).toBe(1000);
    expect(ours).not.toBe(theirs);
    expect(pageRead).toHaveBeenCalledTimes(1);
  });

  it('show at once what an operator has done', async () => {
    const { locks } = await start({ imports: [CacheModule.register({ isGlobal: true })] });
    stopTheClock();
    const states = async () => [
      (await get('admin/api/locks?search=forced')).items[0]?.state,
      (await get('admin/api/locks?search=expires')).items[0]?.state,
    ];
    await locks.acquire('forced');
    const expiring = { lockName: 'expires', workerName: 'ann', grantId: randomUUID(), ttl: 20 };
    await app!.get(LockServer).acquire(expiring);
    while ((await locks.inspect('expires'))!.state !== 'expired');
    const { released } = await get('admin/api/counts');
    expect(await states()).toEqual(['held', 'expired']);
    await post('locks/forced/force-release', { reason: 'test' });
    expect(await states()).toEqual(['released', 'expired']);
    await post('clear-expired', {});
    expect(await states()).toEqual(['released', 'released']);
    expect((await get('admin/api/counts')).released).toBe(released + 2);
  });

  it('show locks as they are now to who asks for these, together where they ask at the same time', async () => {
    const { locks } = await start({ imports: [CacheModule.register({ isGlobal: true })] });
    const { desk } = app!.get(LockServer);
    const read = desk.inspectAll.bind(desk);
    const inspectAll = jest.spyOn(desk, 'inspectAll');
    stopTheClock();
    const lease = await locks.acquire('live');
    const inspect = async () => {
      const answer = await fetch(`${origin}/dblock/admin/api/inspect`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"lockNames":["live"]}',
      });
      return ((await answer.json()) as { locks: Answer['items'] }).locks[0]!.state;
    };
    expect(await inspect()).toBe('held');
    await lease.release();
    expect(await inspect()).toBe('released');
    expect(inspectAll).toHaveBeenCalledTimes(2);
    inspectAll.mockImplementationOnce(async (names) => {
      await sleep(500);
      return read(names);
    });
    await Promise.all(Array.from({ length: 10 }, inspect));
    expect(inspectAll.mock.calls.length).toBeLessThan(2 + 10);
  });

  it('show what is there after a write whose outcome is unknown', async () => {
    const { pageRead } = await start({ imports: [CacheModule.register({ isGlobal: true })] });
    stopTheClock();
    await get('admin/api/locks');
    jest
      .spyOn(app!.get(LockServer).desk, 'forceRelease')
      .mockRejectedValue(new StoreUnavailableError('no answer'));
    await expect(post('locks/unknown/force-release', { reason: 'test' })).rejects.toThrow();
    await get('admin/api/locks');
    expect(pageRead).toHaveBeenCalledTimes(2);
  });

  const broken: Array<[string, () => ModuleMetadata]> = [
    ['rejects', () => ({ imports: [brokenStore(() => Promise.reject(new Error('down')))] })],
    ['never answers', () => ({ imports: [brokenStore(() => new Promise(() => {}))] })],
    ['can only be written to in vain', () => ({ imports: [brokenStore(async () => undefined)] })],
    ['is none', () => ({ imports: [{ global: true, module: class {}, ...provided({}) }] })],
  ];

  it.each(broken)('do without a cache that %s', async (_, metadata) => {
    const { locks, pageRead } = await start(metadata());
    await using _lease = await locks.acquire('uncached');
    for (let looks = 1; looks <= 2; looks++) {
      expect(await get('admin/api/locks?search=uncached')).toMatchObject({ total: 1 });
      expect(pageRead).toHaveBeenCalledTimes(looks);
    }
  });

  it("pass the store's own failure on", async () => {
    const { countByState } = await start({ imports: [CacheModule.register({ isGlobal: true })] });
    countByState.mockRejectedValue(new StoreUnavailableError('no answer'));
    expect(await get('admin/api/counts')).toMatchObject({ status: 503 });
    expect(countByState).toHaveBeenCalledTimes(1);
  });

  it('are not cached without a CacheModule, nor is the REST API with one', async () => {
    const bare = await start({});
    await get('admin/api/locks');
    await get('admin/api/locks');
    expect(bare.pageRead).toHaveBeenCalledTimes(2);
    await Promise.all(Array.from({ length: 10 }, () => get('admin/api/locks?search=together')));
    expect(bare.pageRead.mock.calls.length).toBeLessThan(2 + 10); // those at the same time share one read
    await app!.close();
    const cached = await start({ imports: [CacheModule.register({ isGlobal: true })] });
    await get('locks');
    await get('locks');
    expect(cached.list).toHaveBeenCalledTimes(2);
  });

  function brokenStore(answer: () => Promise<unknown>) {
    const cache = {
      get: answer,
      set: () => Promise.reject(new Error('down')),
      delete: answer,
      clear: answer,
    };
    const store = Object.assign(new Keyv(), cache);
    return CacheModule.register({ isGlobal: true, stores: [store] });
  }

  function provided(cache: object) {
    return { providers: [{ provide: CACHE_MANAGER, useValue: cache }], exports: [CACHE_MANAGER] };
  }
});

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  DbLockConfigurationError,
  DbLockModule,
  Lock,
  LockClient,
  type DbLockModuleOptions,
} from 'nestjs-db-lock';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { listen } from '../support/lock-application.js';

describe('a store of your own', () => {
  let app: INestApplication | undefined;

  const start = async (options: DbLockModuleOptions, providers: object[] = []) => {
    const settings = { module: class Settings {}, providers, exports: providers } as never;
    const module = await Test.createTestingModule({
      imports: [DbLockModule.forRoot({ public: true, imports: [settings], ...options })],
    }).compile();
    app = module.createNestApplication();
    await app.init();
    return app;
  };

  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  it('keeps the locks, without any database, and stays open when it was given', async () => {
    const store = new MemoryLockStore();
    const close = jest.spyOn(store, 'close');
    await start({ store });
    const lease = await app!.get(LockClient).acquire('job');
    expect((await store.inspect(['job']))[0]).toMatchObject({ workerName: lease.workerName });
    await app!.close();
    expect(close).not.toHaveBeenCalled();
    expect((await store.inspect(['job']))[0]).toMatchObject({ state: 'released' });
  });

  it('is closed with the application where that has made it', async () => {
    const store = new MemoryLockStore();
    const close = jest.spyOn(store, 'close');
    const useFactory = (given: string) => {
      expect(given).toBe('settings');
      return store;
    };
    await start({ store: { inject: ['SETTINGS'], useFactory } }, [
      { provide: 'SETTINGS', useValue: 'settings' },
    ]);
    await app!.get(LockClient).acquire('job');
    await app!.close();
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('has its REST API and its admin', async () => {
    const origin = await listen(await start({ store: new MemoryLockStore() }));
    const ask = async (path: string, content?: object) => {
      const headers = { 'content-type': 'application/json' };
      const post = content && { method: 'POST', headers, body: JSON.stringify(content) };
      const answer = await fetch(`${origin}/dblock/${path}`, post);
      expect(answer.ok).toBe(true);
      return (await answer.json()) as { fencingToken: number; items: object[] };
    };
    const lease = await ask('locks/job/lease', {
      ttl: '1m',
      workerName: 'ann',
      metadata: { why: 'x' },
    });
    expect(await ask('admin/api/locks?search=JO')).toMatchObject({
      total: 1,
      items: [{ lockName: 'job', workerName: 'ann', state: 'held' }],
    });
    const { fencingToken } = lease;
    await ask('admin/api/locks/job/force-release', { fencingToken, reason: 'stuck' });
    const { items } = await ask('admin/api/locks/job/history');
    expect(items[0]).toMatchObject({ event: 'forced', reason: 'stuck', workerName: 'ann' });
  });

  it.each<[keyof DbLockModuleOptions, DbLockModuleOptions]>([
    ['store', { store: {} as never }],
    ['store', { store: new MemoryLockStore(), autoRegisterModel: true }],
    ['entity', { store: new MemoryLockStore(), entity: Lock }],
    ['dataSource', { store: new MemoryLockStore(), dataSource: 'locks' }],
    ['createTables', { store: new MemoryLockStore(), createTables: true }],
    ['clockTolerance', { store: new MemoryLockStore(), clockTolerance: '1s' }],
    ['pooler', { store: new MemoryLockStore(), pooler: 'none' }],
    ['apiServer', { store: new MemoryLockStore(), apiServer: 'http://127.0.0.1/dblock' }],
  ])('contradicts %s', async (option, options) => {
    const error = await start(options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DbLockConfigurationError);
    expect((error as Error).message).toContain(option);
  });
});

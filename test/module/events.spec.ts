import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Test } from '@nestjs/testing';
import {
  DbLockModule,
  DjangoDbLockClient,
  getLockEventsToken,
  getLockClientToken,
  InjectLockEvents,
  LockBusyError,
  LockClient,
  LockEvents,
  LockServer,
  type DbLockModuleOptions,
  type LockEvent,
} from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('LockEvents', () => {
  let database: TestDatabase;
  const open: INestApplicationContext[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const app of open.splice(0).reverse()) await app.close();
  });

  afterAll(() => database.drop());

  async function start(
    imports: DynamicModule[] = [],
    providers: Array<new (...args: never[]) => object> = [],
  ) {
    const app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{ workerName: 'ann' }, { feature: 'billing', path: 'billing', workerName: 'ann' }],
      metadata: { imports, providers },
    });
    open.push(app);
    return app;
  }

  async function startRemote(options: DbLockModuleOptions) {
    const module = await Test.createTestingModule({
      imports: [DbLockModule.forRoot({ autoRegisterModel: false, workerName: 'bob', ...options })],
    }).compile();
    await module.init();
    open.push(module);
    return module;
  }

  function heardBy(app: INestApplicationContext, feature?: string): LockEvent[] {
    const heard: LockEvent[] = [];
    app.get<LockEvents>(getLockEventsToken(feature)).events$.subscribe((event) => heard.push(event));
    return heard;
  }

  const types = (heard: LockEvent[]) => heard.map(({ type }) => type);

  it('tell of a lease from its grant to its end, each thing once', async () => {
    const app = await start();
    const heard = heardBy(app);
    const lockName = randomUUID();
    const lease = await app
      .get(LockClient)
      .acquire(lockName, { workerName: 'eve', metadata: { is: 'private' } });
    const { fencingToken, lockTime, expireTime } = lease;
    const told = { feature: 'dblock', lockName, workerName: 'eve' };
    await expect(app.get(LockClient).acquire(lockName)).rejects.toThrow(LockBusyError);
    await lease.renew('1h');
    await lease.release();
    expect(heard).toEqual([
      { ...told, type: 'acquired', fencingToken, expireTime, wait: 0 },
      { ...told, type: 'busy', workerName: 'ann', holder: { workerName: 'eve', lockTime, expireTime } },
      { ...told, type: 'renewed', fencingToken, expireTime: lease.expireTime },
      expect.objectContaining({ type: 'released', lockName }),
    ]);
    expect(JSON.stringify(heard)).not.toContain(lease.grantId);
  });

  it('tell who begins to wait, and how long it waited', async () => {
    const app = await start();
    const heard = heardBy(app);
    const lockName = randomUUID();
    const locks = app.get(LockClient);
    const lease = await locks.acquire(lockName, { workerName: 'eve' });
    const waiting = locks.acquire(lockName, { wait: '20s', workerName: 'bob' });
    await eventually(() => heard.some(({ type }) => type === 'waiting'));
    await lease.release();
    await (await waiting).release();
    expect(types(heard).filter((type) => type !== 'released')).toEqual(['acquired', 'waiting', 'acquired']);
    expect(heard.find(({ type }) => type === 'waiting')).toMatchObject({
      workerName: 'bob',
      holder: { workerName: 'eve' },
    });
    const granted = heard.findLast((event) => event.type === 'acquired');
    expect(granted).toMatchObject({ workerName: 'bob' });
    expect(granted!.wait).toBeGreaterThan(0);
  });

  it('tell of no wait for a lock that was free', async () => {
    const app = await start();
    const heard = heardBy(app);
    await app.get(LockClient).withLock(randomUUID(), { wait: '20s' }, () => undefined);
    expect(types(heard)).toEqual(['acquired', 'released']);
  });

  it('tell of a lease that was found expired, before its successor', async () => {
    const app = await start();
    const heard = heardBy(app);
    const lockName = randomUUID();
    const gone = { lockName, workerName: 'eve', grantId: randomUUID(), ttl: 20 };
    const answer = await app.get(LockServer).acquire(gone);
    await eventually(async () => (await app.get(LockClient).inspect(lockName))?.state === 'expired');
    await using lease = await app.get(LockClient).acquire(lockName);
    expect(types(heard)).toEqual(['acquired', 'expired', 'acquired']);
    const { fencingToken } = (answer as { lease: { fencingToken: number } }).lease;
    expect(heard[1]).toMatchObject({ feature: 'dblock', lockName, workerName: 'eve', fencingToken });
    expect(fencingToken).toBeLessThan(lease.fencingToken);
  });

  it('tell of a force release, and its holder that it has lost', async () => {
    const app = await start();
    const heard = heardBy(app);
    const lockName = randomUUID();
    const lease = await app.get(LockClient).acquire(lockName);
    const { fencingToken } = lease;
    await app.get(LockServer).desk.forceRelease({ lockName, actor: 'root', reason: 'it hangs' });
    await expect(lease.renew()).rejects.toThrow(/lost/);
    const told = { feature: 'dblock', lockName, workerName: 'ann', fencingToken };
    expect(heard.slice(1)).toMatchObject([
      { ...told, type: 'forced', actor: 'root', reason: 'it hangs' },
      { ...told, type: 'lost', reason: 'refused' },
    ]);
    expect(heard).toHaveLength(3);
  });

  it('tell of each lock of a set', async () => {
    const app = await start();
    const heard = heardBy(app);
    const names = [randomUUID(), randomUUID()];
    await app.get(LockClient).withLocks(names, async () => {
      await expect(app.get(LockClient).acquireAll(names)).rejects.toThrow(LockBusyError);
    });
    expect(types(heard)).toEqual(['acquired', 'acquired', 'busy', 'released', 'released']);
    expect(new Set(heard.slice(0, 2).map(({ lockName }) => lockName))).toEqual(new Set(names));
  });

  it('are told by the client of a remote server where it is, by the server where that is', async () => {
    const app = await start();
    const remote = await startRemote({ apiServer: `${await listen(app)}/dblock` });
    const [here, there] = [heardBy(remote), heardBy(app)];
    const locks = remote.get(LockClient);
    const lockName = randomUUID();
    const lease = await locks.acquire(lockName);
    const { fencingToken, lockTime, expireTime } = lease;
    await expect(locks.acquire(lockName)).rejects.toThrow(LockBusyError);
    await lease.renew('1h');
    await lease.release();
    await (await locks.acquire(lockName, { wait: '5s' })).release();
    await locks.withLocks([lockName, randomUUID()], () => undefined);
    const told = { feature: 'dblock', lockName, workerName: 'bob' };
    expect(here.slice(0, 4)).toEqual([
      { ...told, type: 'acquired', fencingToken, expireTime, wait: 0 },
      { ...told, type: 'busy', holder: { workerName: 'bob', lockTime, expireTime } },
      { ...told, type: 'renewed', fencingToken, expireTime: lease.expireTime },
      { ...told, type: 'released' },
    ]);
    expect(types(here)).toEqual(types(there));
    expect(types(here).slice(4)).toEqual([
      'acquired',
      'released',
      'acquired',
      'acquired',
      'released',
      'released',
    ]);
    expect(JSON.stringify(here)).not.toContain(lease.grantId);

    const forced = await locks.acquire(lockName);
    await app.get(LockServer).desk.forceRelease({ lockName, actor: 'root', reason: 'test' });
    await expect(forced.renew()).rejects.toThrow(/lost/);
    expect(here.slice(11)).toMatchObject([{ ...told, type: 'lost', reason: 'refused' }]);
    expect(types(there).slice(11)).toEqual(['forced']);
  });

  it("are told by the client of a server that speaks django-db-lock's contract, as far as it knows", async () => {
    const app = await start();
    const apiServer = `${await listen(app)}/dblock/`;
    const remote = await startRemote({ apiServer, protocol: 'django-db-lock' });
    const heard = heardBy(remote);
    const lockName = randomUUID();
    const lease = await remote.get(DjangoDbLockClient).acquire(lockName);
    expect(await remote.get(DjangoDbLockClient).tryAcquire(lockName)).toBeNull();
    await lease.release();
    const told = { feature: 'dblock', lockName, workerName: lease.workerName };
    expect(heard).toEqual([
      { ...told, type: 'acquired', wait: 0 },
      { ...told, type: 'busy', workerName: expect.any(String), holder: expect.anything() },
      { ...told, type: 'released' },
    ]);
  });

  it('are kept apart by feature', async () => {
    @Injectable()
    class Watcher {
      constructor(
        @InjectLockEvents() readonly standard: LockEvents,
        @InjectLockEvents('billing') readonly billing: LockEvents,
      ) {}
    }
    const app = await start([], [Watcher]);
    expect(app.get(Watcher).standard).toBe(app.get(LockEvents));
    const [standard, billing] = [heardBy(app), heardBy(app, 'billing')];
    await app.get<LockClient>(getLockClientToken('billing')).withLock(randomUUID(), () => undefined);
    expect(standard).toEqual([]);
    expect(billing).toMatchObject([
      { feature: 'billing', type: 'acquired' },
      { feature: 'billing', type: 'released' },
    ]);
  });

  it('leave locks alone when a subscriber throws', async () => {
    const app = await start();
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    app.get(LockEvents).events$.subscribe(() => {
      throw new Error('not today');
    });
    const heard = heardBy(app);
    expect(await app.get(LockClient).withLock(randomUUID(), () => 'done')).toBe('done');
    expect(types(heard)).toEqual(['acquired', 'released']);
  });

  describe('with @nestjs/event-emitter', () => {
    it('are emitted there as db-lock.<type>, for all features', async () => {
      const heard: LockEvent[] = [];
      @Injectable()
      class Listener {
        @OnEvent('db-lock.*')
        onEvent(event: LockEvent) {
          heard.push(event);
        }
      }
      const app = await start([EventEmitterModule.forRoot({ wildcard: true })], [Listener]);
      await app.get(LockClient).withLock(randomUUID(), () => undefined);
      await app.get<LockClient>(getLockClientToken('billing')).withLock(randomUUID(), () => undefined);
      await eventually(() => heard.length >= 4);
      expect(heard.map(({ feature, type }) => `${feature} ${type}`)).toEqual([
        'dblock acquired',
        'dblock released',
        'billing acquired',
        'billing released',
      ]);
    });

    it('leave locks alone when a listener throws', async () => {
      const app = await start([EventEmitterModule.forRoot()]);
      jest.spyOn(Logger.prototype, 'error').mockReturnValue();
      const seen: string[] = [];
      app.get(EventEmitter2).on('db-lock.acquired', () => {
        seen.push('acquired');
        throw new Error('not today');
      });
      expect(await app.get(LockClient).withLock(randomUUID(), () => 'done')).toBe('done');
      expect(seen).toEqual(['acquired']);
    });

    it('need no other module of that name to be one', async () => {
      @Module({ providers: [{ provide: 'no emitter', useValue: {} }] })
      class EventEmitterModule {}
      const app = await start([{ module: EventEmitterModule }]);
      expect(app.get(LockEvents).observed).toBe(false);
    });
  });
});

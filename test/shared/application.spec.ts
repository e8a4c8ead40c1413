import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  currentLease,
  DbLockConfigurationError,
  DbLockModule,
  LockClient,
  LockEvents,
  LockServer,
  UseLock,
  type LockEvent,
  type LockStore,
  type ModeOptions,
} from 'nestjs-db-lock';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { randomUUID } from 'node:crypto';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { LockServer as BareLockServer } from '../../libs/db-lock/src/server/lock-server.js';

/** A promise, and how to fulfil it. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

@Injectable()
class Geocoder {
  inside = 0;
  most = 0;
  door = gate();

  @UseLock('geocoder', { limit: 3, wait: '60s' })
  async locate(): Promise<string> {
    this.most = Math.max(this.most, ++this.inside);
    await this.door.opened;
    this.inside--;
    return currentLease()!.mode;
  }

  @UseLock('prices', { mode: 'shared', reentrant: true })
  async read(depth: number): Promise<number> {
    return depth === 0 ? currentLease()!.fencingToken : this.read(depth - 1);
  }

  @UseLock('prices', { mode: 'shared' })
  async readThenWrite(): Promise<unknown> {
    return this.write();
  }

  @UseLock('prices', { wait: '60s' })
  async write(): Promise<string> {
    return currentLease()!.mode;
  }

  @UseLock('prices', { reentrant: true })
  async writeThenRead(): Promise<number[]> {
    return [currentLease()!.fencingToken, await this.read(1)];
  }
}

describe('an application that shares locks', () => {
  let app: INestApplicationContext;
  let store: MemoryLockStore;
  let locks: LockClient;
  let server: LockServer;
  let heard: LockEvent[];
  let lockName: string;

  beforeAll(async () => {
    store = new MemoryLockStore();
    const module = await Test.createTestingModule({
      imports: [DbLockModule.forRoot({ store, workerName: 'ann', knownBusy: '1m', isGlobal: true })],
      providers: [Geocoder],
    }).compile();
    app = await module.init();
    locks = app.get(LockClient);
    server = app.get(LockServer);
    app.get(LockEvents).events$.subscribe((event) => heard.push(event));
  });

  beforeEach(() => {
    heard = [];
    lockName = `lock:${randomUUID()}`;
  });

  afterEach(() => {
    app.get(Geocoder).door = gate();
  });

  afterAll(() => app.close());

  it('lets so many calls of a method in as its @UseLock says', async () => {
    const geocoder = app.get(Geocoder);
    const calls = Array.from({ length: 8 }, () => geocoder.locate());
    await eventually(async () => (await locks.inspect('geocoder'))?.waiting === 5);
    expect(geocoder.inside).toBe(3);
    geocoder.door.open();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['shared']));
    expect(geocoder.most).toBe(3);
  });

  it('joins a lease with a shared method, and never waits for itself with an exclusive one', async () => {
    const geocoder = app.get(Geocoder);
    await expect(geocoder.read(3)).resolves.toBeGreaterThan(0);
    await expect(geocoder.readThenWrite()).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      issues: [{ field: 'mode', rule: expect.stringContaining("must be 'shared' inside a shared lease") }],
    });
    await expect(geocoder.write()).resolves.toBe('exclusive');
    const [outer, inner] = await geocoder.writeThenRead();
    expect(inner).toBe(outer);
  });

  it.each<[string, ModeOptions]>([
    ['permits', { permits: 2, limit: 1 }],
    ['limit', { mode: 'exclusive', limit: 1 }],
  ])('refuses a @UseLock with a share that is none: %s', async (field, options) => {
    @Injectable()
    class Wrong {
      @UseLock('wrong', options)
      async call(): Promise<void> {}
    }
    const module = await Test.createTestingModule({
      imports: [DbLockModule.forRoot({ store: new MemoryLockStore() })],
      providers: [Wrong],
    }).compile();
    const starting = module.init();
    await expect(starting).rejects.toThrow(DbLockConfigurationError);
    await expect(starting).rejects.toThrow(field);
    await module.close();
  });

  it('tells of modes in its events', async () => {
    const lease = await locks.acquire(lockName);
    expect(await locks.tryAcquire(lockName, { limit: 2 })).toBeNull();
    const waiting = locks.acquire(lockName, { mode: 'shared', permits: 3, wait: '60s' });
    await eventually(async () => (await locks.inspect(lockName))?.waiting === 1);
    await lease.downgrade({ limit: 5 });
    const other = await waiting;
    await other.renew();
    await other.release();
    await server.desk.forceRelease({ lockName, actor: 'eve', reason: 'it hung' });
    expect(heard.map(({ type, ...event }) => [type, (event as { mode?: string }).mode])).toEqual([
      ['acquired', undefined],
      ['busy', 'shared'],
      ['waiting', 'shared'],
      ['downgraded', 'shared'],
      ['acquired', 'shared'],
      ['renewed', 'shared'],
      ['released', undefined],
      ['forced', 'shared'],
    ]);
    expect(heard[1]).toMatchObject({ permits: 1, limit: 2 });
    expect(heard[3]).toMatchObject({ permits: 1, limit: 5, fencingToken: lease.fencingToken });
    expect(heard[4]).toMatchObject({ permits: 3, workerName: 'ann' });
    expect(heard[4]).not.toHaveProperty('limit');
    expect(JSON.stringify(heard)).not.toContain(lease.grantId);
  });

  it('tells of each lease that had expired when the next one came', async () => {
    await locks.acquire(lockName, { mode: 'shared', ttl: '1s', workerName: 'bob' });
    await locks.acquire(lockName, { mode: 'shared', ttl: '2s', workerName: 'cat' });
    await store.advance('3s');
    await locks.acquire(lockName, { mode: 'shared', workerName: 'dan' });
    const expired = heard.filter(({ type }) => type === 'expired');
    expect(expired.map((event) => (event as { workerName?: string }).workerName)).toEqual(['bob', 'cat']);
  });

  it('writes modes down in the history', async () => {
    const lease = await locks.acquire(lockName, { ttl: '1h' });
    await lease.downgrade({ permits: 2, limit: 4 });
    const other = await locks.acquire(lockName, { limit: 3 });
    await other.release();
    await server.desk.forceRelease({ lockName, actor: 'eve', reason: 'it hung' });
    const told = async () => (await server.desk.history(lockName)).items.toReversed();
    await eventually(async () => (await told()).length === 5);
    expect((await told()).map(({ event, details }) => [event, details])).toEqual([
      ['acquired', null],
      ['downgraded', { mode: 'shared', permits: 2, limit: 4 }],
      ['acquired', { mode: 'shared', permits: 1, limit: 3 }],
      ['released', null],
      ['forced', { mode: 'shared', permits: 2, limit: 4 }],
    ]);
    expect((await told()).map(({ fencingToken }) => fencingToken)).toEqual([
      expect.any(Number),
      lease.fencingToken,
      other.fencingToken,
      other.fencingToken,
      lease.fencingToken,
    ]);
  });

  it('ends and renews what is in shared mode also for callers who do not say so', async () => {
    const { grantId } = await locks.acquire(lockName, { mode: 'shared' });
    const renewed = await server.renew({ lockName, grantId, ttl: '1h' });
    expect(renewed).toMatchObject({ outcome: 'renewed', lease: { share: { permits: 1, limit: null } } });
    await expect(server.release({ lockName, grantId })).resolves.toEqual({ outcome: 'released' });
    await expect(server.release({ lockName, grantId })).resolves.toEqual({ outcome: 'lost' });
    await expect(server.renew({ lockName, grantId, ttl: '1h' })).resolves.toMatchObject({ outcome: 'lost' });
  });

  it('loses no lease that is renewed and downgraded at the same time', async () => {
    const lease = await locks.acquire(lockName, { ttl: '1h' });
    const { shared } = store;
    const downgrade = shared.downgrade.bind(shared);
    let renewing: Promise<void> | undefined;
    shared.downgrade = async (requests) => {
      const answers = await downgrade(requests);
      renewing = lease.renew('2h'); // before its holder hears of the new token
      await renewing;
      return answers;
    };
    await lease.downgrade();
    shared.downgrade = downgrade;
    await expect(renewing).resolves.toBeUndefined();
    expect(lease.signal.aborted).toBe(false);
    expect(lease.expireTime.getTime() - lease.lockTime.getTime()).toBeGreaterThan(7_000_000);
    await lease.renew();
    await lease.release();
  });

  it('remembers nobody as busy for those who share', async () => {
    const lease = await locks.acquire(lockName, { mode: 'shared' });
    expect(await locks.tryAcquire(lockName)).toBeNull();
    const beside = await locks.tryAcquire(lockName, { mode: 'shared' });
    expect(beside).not.toBeNull();
    await lease.release();
    await beside!.release();
    expect(await locks.tryAcquire(lockName)).not.toBeNull();
    // What is exclusive is remembered, and refuses readers, too.
    expect(await locks.tryAcquire(lockName, { mode: 'shared' })).toBeNull();
  });

  it('gives back what was granted to a reader who had gone', async () => {
    const holder = await locks.acquire(lockName, { ttl: '1h' });
    const giveUp = new AbortController();
    const { shared } = store;
    const acquire = shared.acquire.bind(shared);
    shared.acquire = async (requests) => {
      const answers = await acquire(requests);
      if (answers.some(({ outcome }) => outcome === 'granted')) giveUp.abort(new Error('enough'));
      return answers;
    };
    const waiting = locks.acquire(lockName, { mode: 'shared', wait: '60s', signal: giveUp.signal });
    await eventually(async () => (await locks.inspect(lockName))?.waiting === 1);
    await holder.release();
    await expect(waiting).rejects.toThrow('enough');
    shared.acquire = acquire;
    await eventually(async () => (await locks.inspect(lockName))?.state === 'released');
  });
});

/** A store of before there were leases in shared mode. */
function olderStore(): LockStore {
  const store = new MemoryLockStore();
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'shared') return undefined;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

describe('a store without leases in shared mode', () => {
  it('refuses them as a mistake, and serves exclusive ones', async () => {
    const server = new BareLockServer(olderStore());
    const request = { lockName: 'job', workerName: 'ann', grantId: randomUUID(), ttl: 60_000 };
    const mistake = { code: 'INVALID_REQUEST', message: expect.stringContaining("mode must be 'exclusive'") };
    await expect(server.acquire({ ...request, mode: 'shared' })).rejects.toMatchObject(mistake);
    await expect(server.acquire({ ...request, limit: 3, wait: '60s' })).rejects.toMatchObject(mistake);
    const { lockName, grantId, ...set } = request;
    await expect(
      server.acquireSet({ ...set, grantId, lockNames: [{ lockName, mode: 'shared' }, 'other'] }),
    ).rejects.toMatchObject(mistake);
    await expect(server.downgrade({ lockName, grantId })).rejects.toMatchObject(mistake);
    await expect(server.acquire(request)).resolves.toMatchObject({ outcome: 'granted' });
    await expect(server.release({ lockName, grantId })).resolves.toEqual({ outcome: 'released' });
    await expect(server.release({ lockName, grantId })).resolves.toEqual({ outcome: 'lost' });
  });
});

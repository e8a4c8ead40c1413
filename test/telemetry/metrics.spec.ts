import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  createLockClient,
  DbLockConfigurationError,
  DbLockModule,
  LockClient,
  LockServer,
  StoreUnavailableError,
} from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { METRICS, openTelemetry, type OpenTelemetryOptions } from 'nestjs-db-lock/opentelemetry';
import { DbLockTestingModule, TestLocks } from 'nestjs-db-lock/testing';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { Metering } from '../support/metering.js';
import { describeWithRedisServer, startRedis } from '../support/redis-server.js';

const REQUEST = { lockName: 'job', workerName: 'ann', ttl: 60_000 };

const FEATURE = { 'db_lock.feature': 'dblock' };

describe('What OpenTelemetry is told of locks in numbers', () => {
  let metering: Metering;
  let module: TestingModule | undefined;
  let client: LockClient;
  let server: LockServer;
  let locks: TestLocks;

  beforeEach(() => {
    metering = new Metering();
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
  });

  afterEach(async () => {
    await module?.close();
    module = undefined;
    jest.restoreAllMocks();
  });

  async function start(options: OpenTelemetryOptions = {}) {
    const telemetry = openTelemetry({ meterProvider: metering.meterProvider, ...options });
    module = await Test.createTestingModule({
      imports: [DbLockTestingModule.forRoot({ telemetry, workerName: 'ann' })],
    }).compile();
    await module.init();
    client = module.get(LockClient);
    server = module.get(LockServer);
    locks = module.get(TestLocks);
  }

  const acquires = (side: 'client' | 'server', outcome: string, mode = 'exclusive') =>
    metering.number(`db_lock.${side}.acquires`, {
      ...FEATURE,
      'db_lock.outcome': outcome,
      'db_lock.mode': mode,
    });

  it('counts acquires by their outcome and mode, as the client and as the server sees them', async () => {
    await start();
    const lease = await client.acquire('job');
    expect(await client.tryAcquire('job')).toBeNull();
    await expect(client.acquire('job')).rejects.toThrow();
    await client.acquire('pages', { mode: 'shared' });
    for (const side of ['client', 'server'] as const) {
      expect(await acquires(side, 'granted')).toBe(1);
      expect(await acquires(side, 'busy')).toBe(2);
      expect(await acquires(side, 'granted', 'shared')).toBe(1);
      expect(await acquires(side, 'error')).toBe(0);
      const name = `db_lock.${side}.acquire.duration`;
      const { count, sum } = await metering.recorded(name, { ...FEATURE, 'db_lock.outcome': 'granted' });
      expect(count).toBe(2);
      expect(sum).toBeGreaterThan(0);
      expect(sum).toBeLessThan(30); // seconds, not milliseconds: nothing here was waited for
    }
    await lease.release();
  });

  it('tells failures from callers who have given up', async () => {
    await start();
    const lost = new StoreUnavailableError('away');
    const acquire = jest.spyOn(locks.store, 'acquire').mockRejectedValue(lost);
    await expect(client.acquire('job')).rejects.toThrow(lost);
    acquire.mockImplementation(async (requests) => requests.map(() => ({ outcome: 'error', error: lost })));
    await expect(server.acquire({ ...REQUEST, grantId: randomUUID() })).rejects.toThrow(lost);
    acquire.mockRestore();
    expect(await acquires('client', 'error')).toBe(1);
    expect((await acquires('server', 'error'))!).toBeGreaterThanOrEqual(2);
    const failed = { 'db_lock.kind': 'acquire', 'db_lock.outcome': 'failed' };
    expect((await metering.recorded('db_lock.statement.duration', failed)).count).toBeGreaterThanOrEqual(2);

    await locks.elsewhere.acquire('job');
    const giveUp = new AbortController();
    const waiting = client.acquire('job', { wait: '1h', signal: giveUp.signal });
    await eventually(async () => (await metering.number('db_lock.server.waiters')) === 1);
    giveUp.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(await acquires('client', 'abandoned')).toBe(1);
    expect(await acquires('server', 'abandoned')).toBe(1);
  });

  it('counts sets as one acquire', async () => {
    await start();
    const set = await client.acquireAll(['one', 'two']);
    expect(await client.tryAcquireAll(['two', 'three'])).toBeNull();
    expect(await acquires('client', 'granted')).toBe(1);
    expect(await acquires('server', 'granted')).toBe(1);
    expect(await acquires('server', 'busy')).toBe(1);
    expect(await metering.number('db_lock.client.leases.held')).toBe(2);
    await set.release();
  });

  it('shows who waits, for how long, and how long those waited who got the lock', async () => {
    await start();
    const lease = await client.acquire('job', { ttl: '1h' });
    expect(await metering.number('db_lock.server.waiters', FEATURE)).toBe(0);
    expect(await metering.number('db_lock.server.wait.oldest', FEATURE)).toBe(0);
    const waiting = client.acquire('job', { wait: '1h', ttl: '1h' });
    await eventually(async () => (await metering.number('db_lock.server.waiters', FEATURE)) === 1);
    await locks.advance('5m');
    const oldest = (await metering.number('db_lock.server.wait.oldest', FEATURE))!;
    expect(oldest).toBeGreaterThanOrEqual(300);
    expect(oldest).toBeLessThan(400);
    await lease.release();
    await (await waiting).release();
    expect(await metering.number('db_lock.server.waiters', FEATURE)).toBe(0);
    const granted = { ...FEATURE, 'db_lock.outcome': 'granted' };
    const waits = await metering.recorded('db_lock.server.wait.duration', granted);
    expect(waits.count).toBe(1);
    expect(waits.sum).toBeGreaterThanOrEqual(300);
    expect(waits.sum).toBeLessThan(400);
    expect((await metering.recorded('db_lock.server.acquire.duration', granted)).sum).toBeGreaterThan(300);
  });

  it('tells how long leases were held, and how many are', async () => {
    await start({ countLocks: true });
    const lease = await client.acquire('job', { ttl: '1h' });
    const shared = await client.acquire('pages', { ttl: '1h', mode: 'shared' });
    expect(await metering.number('db_lock.client.leases.held', FEATURE)).toBe(2);
    expect(await metering.number('db_lock.server.locks.held', FEATURE)).toBe(2);
    await locks.advance('10m');
    await lease.release();
    await shared.release();
    expect(await metering.number('db_lock.client.leases.held', FEATURE)).toBe(0);
    expect(await metering.number('db_lock.server.locks.held', FEATURE)).toBe(0);
    for (const mode of ['exclusive', 'shared']) {
      const held = await metering.recorded('db_lock.client.hold.duration', { 'db_lock.mode': mode });
      expect(held.count).toBe(1);
      expect(held.sum).toBeGreaterThanOrEqual(600);
      expect(held.sum).toBeLessThan(700);
    }
    const held = await metering.recorded('db_lock.server.hold.duration', FEATURE);
    expect(held.count).toBe(2);
    expect(held.sum).toBeGreaterThanOrEqual(1200);
  });

  it('counts renewals, and leases that were lost, by the reason', async () => {
    await start();
    const renewals = (outcome: string) =>
      metering.number('db_lock.server.renewals', { ...FEATURE, 'db_lock.outcome': outcome });
    const lost = (side: string, reason: string) =>
      metering.number(`db_lock.${side}.leases.lost`, { ...FEATURE, 'db_lock.reason': reason });
    const lease = await client.acquire('job', { ttl: '1m' });
    await lease.renew();
    expect(await renewals('renewed')).toBe(1);
    await server.desk.forceRelease({ lockName: 'job', actor: 'eve', reason: 'it hangs' });
    expect(await metering.number('db_lock.server.leases.forced', FEATURE)).toBe(1);
    await expect(lease.renew()).rejects.toThrow();
    expect(await renewals('lost')).toBe(1);
    expect(await lost('client', 'refused')).toBe(1);
    expect(await lost('server', 'late')).toBe(1);

    const forgotten = await client.acquire('job', { ttl: '1m' });
    await locks.advance('2m');
    await expect(forgotten.renew()).rejects.toThrow();
    expect(await lost('client', 'deadline')).toBe(1);
    expect(await lost('server', 'expired')).toBe(0);
    await client.acquire('job');
    expect(await lost('server', 'expired')).toBe(1);

    await client.close();
    expect(await lost('client', 'shutdown')).toBe(1);
  });

  it('does not take a release that is repeated, or for safety only, for a loss', async () => {
    await start();
    const grantId = randomUUID();
    await server.acquire({ ...REQUEST, grantId });
    await server.release({ lockName: 'job', grantId });
    for (const key of [grantId, randomUUID()])
      expect(await server.release({ lockName: 'job', grantId: key })).toEqual({ outcome: 'lost' });
    expect(await metering.number('db_lock.server.leases.lost')).toBe(0);
  });

  it('tells of statements by their kind: how many requests went together, how long they took, how many queue', async () => {
    await start();
    const leases = await Promise.all([1, 2, 3].map((number) => client.acquire(`job:${number}`)));
    await Promise.all(leases.map((lease) => lease.renew()));
    await Promise.all(leases.map((lease) => lease.release()));
    for (const kind of ['acquire', 'renew', 'release']) {
      const attributes = { ...FEATURE, 'db_lock.kind': kind };
      const sizes = await metering.recorded('db_lock.statement.batch_size', attributes);
      expect(sizes.sum).toBe(3);
      const durations = await metering.recorded('db_lock.statement.duration', {
        ...attributes,
        'db_lock.outcome': 'answered',
      });
      expect(durations.count).toBe(sizes.count);
      expect(await metering.number('db_lock.queue.length', attributes)).toBe(0);
    }
    let answer!: () => void;
    const slow = new Promise<void>((resolve) => (answer = resolve));
    const acquire = locks.store.acquire.bind(locks.store);
    const asked = jest.spyOn(locks.store, 'acquire').mockImplementation(async (requests) => {
      await slow;
      return acquire(requests);
    });
    const first = client.acquire('slow:1');
    await eventually(() => asked.mock.calls.length === 1);
    const rest = [2, 3].map((number) => client.acquire(`slow:${number}`));
    expect(await metering.number('db_lock.queue.length', { 'db_lock.kind': 'acquire' })).toBe(2);
    answer();
    await Promise.all([first, ...rest]);
  });

  it('counts what could not be written down', async () => {
    await start();
    expect(await metering.number('db_lock.history.gaps', FEATURE)).toBe(0);
    jest.spyOn(locks.store.history, 'record').mockRejectedValue(new Error('disk full'));
    await client.acquire('job');
    await eventually(async () => (await metering.number('db_lock.history.gaps', FEATURE)) === 1);
  });

  it('tells locks apart by label only, and not too many of them', async () => {
    const lockLabel = (lockName: string) => {
      if (lockName === 'bad') throw new Error('no label');
      return lockName === 'plain' ? undefined : lockName.split(':')[0];
    };
    await start({ lockLabel });
    for (const lockName of ['invoice:1', 'invoice:2', 'report:1', 'plain', 'bad'])
      await client.acquire(lockName);
    const granted = (label: string | undefined) =>
      metering.number('db_lock.client.acquires', { 'db_lock.outcome': 'granted', 'db_lock.lock': label });
    expect(await granted('invoice')).toBe(2);
    expect(await granted('report')).toBe(1);
    expect(await granted(undefined)).toBe(2);
    for (let number = 0; number < 200; number++) await client.tryAcquire(`many-${number}`);
    expect(await granted('many-197')).toBe(1);
    expect(await granted('many-198')).toBeUndefined();
    expect(await granted('_OTHER')).toBe(2);
  });

  it('records the durations of a part of those who come in a rush, and counts all', async () => {
    await start({ durationsPerSecond: 10 });
    for (let number = 0; number < 1_000; number++) await (await client.acquire('job')).release();
    expect(await acquires('client', 'granted')).toBe(1_000);
    const { count } = await metering.recorded('db_lock.client.acquire.duration');
    expect(count).toBeGreaterThanOrEqual(10);
    expect(count).toBeLessThan(500);
  });

  it('has nothing but what its catalogue says, and no name of a lock', async () => {
    await start({ countLocks: true });
    const lease = await client.acquire('secret:42');
    const waiting = client.acquire('secret:42', { wait: '60s' });
    await eventually(async () => (await metering.number('db_lock.server.waiters', FEATURE)) === 1);
    await lease.release();
    await (await waiting).release();
    const known = Object.values(METRICS);
    for (const { name, attributes } of known) {
      const points = await metering.points(name);
      for (const point of points) {
        const allowed = ['db_lock.feature', ...attributes];
        expect(Object.keys(point.attributes).filter((key) => !allowed.includes(key as never))).toEqual([]);
        expect(JSON.stringify(point)).not.toContain('secret');
      }
      expect({ name, told: points.length > 0 }).toEqual({ name, told: !name.startsWith('db_lock.gate') });
    }
  });

  it('is written down: each metric with its unit and attributes', async () => {
    const document = await readFile(new URL('../../docs/observability.md', import.meta.url), 'utf8');
    const rows = document
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
      .filter(([, name]) => name?.startsWith('db_lock.'))
      .map(([, name, kind, unit, attributes]) => ({ name, kind, unit, attributes }));
    const listed = Object.values(METRICS).map(({ name, kind, unit, attributes }) => ({
      name,
      kind,
      unit: unit || '–',
      attributes: attributes.join(', ') || '–',
    }));
    expect(rows).toEqual(listed);
  });

  it('of several features and clients, each with its own', async () => {
    const telemetry = openTelemetry({ meterProvider: metering.meterProvider });
    module = await Test.createTestingModule({
      imports: [
        DbLockTestingModule.forRoot({ telemetry }),
        DbLockTestingModule.forRoot({ telemetry, feature: 'billing' }),
      ],
    }).compile();
    await module.init();
    await module.get(LockClient).acquire('job');
    const granted = (feature: string) =>
      metering.number('db_lock.server.acquires', {
        'db_lock.feature': feature,
        'db_lock.outcome': 'granted',
      });
    expect(await granted('dblock')).toBe(1);
    expect(await granted('billing')).toBe(0);
    const held = () => metering.number('db_lock.client.leases.held', FEATURE);
    expect(await held()).toBe(1);
    await module.close();
    module = undefined;
    expect(await held()).toBe(0);
  });

  it('lets go of clients and servers that have ended', async () => {
    const telemetry = openTelemetry({ meterProvider: metering.meterProvider });
    const ended: string[] = [];
    jest.spyOn(telemetry.client('dblock'), 'watch').mockReturnValue(() => ended.push('client'));
    jest.spyOn(telemetry.server('dblock'), 'watch').mockReturnValue(() => ended.push('server'));
    module = await Test.createTestingModule({
      imports: [DbLockTestingModule.forRoot({ telemetry })],
    }).compile();
    await module.init();
    expect(ended).toEqual([]);
    await module.close();
    module = undefined;
    expect(ended.toSorted()).toEqual(['client', 'server']);
  });

  it.each<[string, object]>([
    ['metrics', { metrics: 'yes' }],
    ['durationsPerSecond', { durationsPerSecond: 0 }],
    ['lockLabel', { lockLabel: 'name' }],
    ['meterProvider', { meterProvider: {} }],
    ['label', { label: () => 'a' }],
  ])('refuses %s when it is wrong, and names it', (field, options) => {
    expect(() => openTelemetry(options)).toThrow(DbLockConfigurationError);
    expect(() => openTelemetry(options)).toThrow(field);
  });

  it('refuses what tells nobody', async () => {
    const options = { telemetry: {} as never, apiServer: 'http://127.0.0.1:1' };
    await expect(createLockClient(options)).rejects.toThrow(/telemetry.*openTelemetry\(\)/);
  });

  describeWithRedisServer('of a gate', () => {
    it('what it says, and whether it answers', async () => {
      const redis = await startRedis();
      const telemetry = openTelemetry({ meterProvider: metering.meterProvider });
      const { MemoryLockStore } = await import('nestjs-db-lock/testing');
      module = await Test.createTestingModule({
        imports: [
          DbLockModule.forRoot({
            telemetry,
            store: { useFactory: () => new MemoryLockStore() },
            redis: { url: redis.url, timeout: '5s' },
            autoRegisterAdmin: false,
            autoRegisterServices: false,
          }),
        ],
      }).compile();
      await module.init();
      client = module.get(LockClient);
      const answers = (outcome: string) =>
        metering.number('db_lock.gate.answers', { ...FEATURE, 'db_lock.outcome': outcome });
      expect(await metering.number('db_lock.gate.up', FEATURE)).toBe(1);
      await client.acquire('job');
      expect(await client.tryAcquire('job')).toBeNull();
      expect(await answers('passed')).toBe(1);
      expect(await answers('busy')).toBe(1);
      await redis.stop();
      await eventually(async () => {
        await client.tryAcquire('other');
        return (await metering.number('db_lock.gate.up', FEATURE)) === 0;
      });
      expect(await answers('unanswered')).toBeGreaterThan(0);
    });
  });
});

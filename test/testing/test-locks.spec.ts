import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CurrentLease,
  DbLockConfigurationError,
  LeaseLostError,
  LockBusyError,
  UseLock,
  type Lease,
} from 'nestjs-db-lock';
import { underTestLocks, type TestLocks } from 'nestjs-db-lock/testing';

class Orders {
  readonly shipped: string[] = [];

  @UseLock('order:{0}')
  async ship(id: string): Promise<void> {
    this.shipped.push(id);
  }

  @UseLock('nightly', { whenBusy: 'skip' })
  async report(): Promise<string> {
    return 'reported';
  }

  @UseLock('import', { ttl: '10s', feature: 'imports' })
  async import(until: Promise<unknown>, @CurrentLease() lease?: Lease): Promise<Lease> {
    await until;
    return lease!;
  }
}

describe('a class with @UseLock that a test has made', () => {
  let orders: Orders;
  let locks: TestLocks;

  beforeEach(() => {
    orders = new Orders();
    locks = underTestLocks(orders);
  });

  afterEach(() => locks.close());

  it('runs under its locks, and tells of them', async () => {
    await orders.ship('42');
    expect(orders.shipped).toEqual(['42']);
    expect(locks.history).toEqual([
      {
        type: 'acquired',
        feature: 'dblock',
        lockName: 'order:42',
        workerName: 'test',
        fencingToken: expect.any(Number),
        expireTime: expect.any(Date),
        wait: 0,
      },
      { type: 'released', feature: 'dblock', lockName: 'order:42' },
    ]);
  });

  it('finds locks busy that somebody else has', async () => {
    const lease = await locks.elsewhere.acquire('order:42');
    await expect(orders.ship('42')).rejects.toThrow(LockBusyError);
    await locks.elsewhere.acquire('nightly');
    expect(await orders.report()).toBeUndefined();
    expect(orders.shipped).toEqual([]);
    await lease.release();
    await orders.ship('42');
  });

  it('is kept alive for as long as it runs', async () => {
    let end = () => {};
    const running = orders.import(new Promise<void>((resolve) => (end = resolve)));
    await locks.advance('1h');
    expect(await locks.elsewhere.tryAcquire('import')).toBeNull();
    end();
    expect((await running).signal.aborted).toBe(false);
    expect(await locks.elsewhere.tryAcquire('import')).not.toBeNull();
  });

  it('is told at once of what is wrong with its decorators', () => {
    class Wrong {
      @UseLock('order:{x}')
      async run() {}
    }
    expect(() => underTestLocks(new Wrong())).toThrow(DbLockConfigurationError);
  });
});

describe('locks of a test', () => {
  let locks: TestLocks;

  beforeEach(() => {
    locks = underTestLocks();
  });

  afterEach(() => locks.close());

  it('expire when their time has passed, and their holder hears of it', async () => {
    const lease = await locks.client.acquire('job', { ttl: '30s' });
    const { signal } = lease;
    await locks.advance('29s');
    expect(signal.aborted).toBe(false);
    expect(await locks.elsewhere.tryAcquire('job')).toBeNull();
    await locks.advance('2s');
    expect(signal.reason).toEqual(new LeaseLostError('job', 'deadline'));
    expect(lease.timeLeft).toBe(0);
    const next = await locks.elsewhere.acquire('job');
    expect(next.fencingToken).toBeGreaterThan(lease.fencingToken);
    expect(locks.history.map(({ type }) => type)).toEqual([
      'acquired',
      'busy',
      'lost',
      'expired',
      'acquired',
    ]);
  });

  it('come to who waits for them as time passes', async () => {
    await locks.elsewhere.acquire('job', { ttl: '30s' });
    const waiting = locks.client.acquire('job', { wait: '1m' });
    await locks.advance('20s');
    expect((await locks.client.inspect('job'))?.queue).toHaveLength(1);
    await locks.advance('11s');
    expect((await waiting).workerName).toBe('test');
  });

  it('stay busy for who has waited in vain', async () => {
    await locks.elsewhere.acquire('job', { ttl: '1h' });
    const waiting = locks.client.tryAcquire('job', { wait: '5m' });
    await locks.advance('5m');
    expect(await waiting).toBeNull();
  });

  it('stay taken for as long as they must', async () => {
    const lease = await locks.client.acquire('job', { ttl: '1m', minHold: '30s' });
    await lease.release();
    await locks.advance('29s');
    expect(await locks.elsewhere.tryAcquire('job')).toBeNull();
    await locks.advance('2s');
    expect(await locks.elsewhere.tryAcquire('job')).not.toBeNull();
  });

  it('are of this test only', async () => {
    await using others = underTestLocks();
    await others.client.acquire('job');
    expect(await locks.client.tryAcquire('job')).not.toBeNull();
    expect(others.history).toHaveLength(1);
  });

  it('are taken for the time that the test says', async () => {
    await expect(locks.advance('soon')).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      issues: [{ field: 'duration' }],
    });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { InjectLockClient, LockClient, UseLock } from 'nestjs-db-lock';
import { DbLockTestingModule, getTestLocksToken, TestLocks } from 'nestjs-db-lock/testing';

@Injectable()
class Orders {
  constructor(
    private readonly locks: LockClient,
    @InjectLockClient('billing') private readonly billing: LockClient,
  ) {}

  ship(id: string): Promise<string> {
    return this.locks.withLock(`order:${id}`, async ({ workerName }) => workerName);
  }

  bill(id: string): Promise<string> {
    return this.billing.withLock(`bill:${id}`, async ({ lockName }) => lockName);
  }

  @UseLock('nightly', { feature: 'billing' })
  async report(): Promise<string> {
    return 'reported';
  }
}

/** Injects lock clients of modules that it does not import. */
@Module({ providers: [Orders], exports: [Orders] })
class OrdersModule {}

describe('an application in a test', () => {
  let module: TestingModule;
  let orders: Orders;

  beforeEach(async () => {
    module = await Test.createTestingModule({
      imports: [
        DbLockTestingModule.forRoot({ workerName: 'tester' }),
        DbLockTestingModule.forRoot({ feature: 'billing' }),
        OrdersModule,
      ],
    }).compile();
    await module.init();
    orders = module.get(Orders);
  });

  afterEach(() => module.close());

  it('has its locks in memory, each feature its own', async () => {
    expect(await orders.ship('42')).toBe('tester');
    expect(await orders.bill('42')).toBe('bill:42');
    expect(await orders.report()).toBe('reported');
    const namesIn = (locks: TestLocks) => locks.history.map(({ type, lockName }) => `${type} ${lockName}`);
    expect(namesIn(module.get(TestLocks))).toEqual(['acquired order:42', 'released order:42']);
    expect(namesIn(module.get(getTestLocksToken('billing')))).toEqual([
      'acquired bill:42',
      'released bill:42',
      'acquired nightly',
      'released nightly',
    ]);
  });

  it('finds busy what the test holds, until that expires', async () => {
    const locks = module.get(TestLocks);
    await locks.elsewhere.acquire('order:42', { ttl: '30s' });
    await expect(orders.ship('42')).rejects.toMatchObject({ code: 'LOCK_BUSY' });
    await locks.advance('31s');
    expect(await orders.ship('42')).toBe('tester');
  });

  it('releases at its end what is held', async () => {
    const locks = module.get(TestLocks);
    expect(module.get(LockClient)).toBe(locks.client);
    const lease = await locks.client.acquire('job', { keepAlive: true });
    await module.close();
    expect(lease.signal.aborted).toBe(true);
    expect((await locks.store.inspect(['job']))[0]).toMatchObject({ state: 'released' });
  });
});

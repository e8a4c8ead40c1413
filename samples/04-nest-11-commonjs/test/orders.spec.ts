import { Test } from '@nestjs/testing';
import { LockBusyError, LockClient } from 'nestjs-db-lock';
import { DbLockTestingModule, TestLocks, underTestLocks } from 'nestjs-db-lock/testing';
import { OrdersService } from '../src/orders.service';

describe('OrdersService', () => {
  it('ships under a lock of the order', async () => {
    const locks = underTestLocks();
    const orders = new OrdersService(locks.client);
    const under = underTestLocks(orders);
    await orders.ship('42');
    expect(under.history).toMatchObject([{ type: 'acquired', lockName: 'order:42' }, { type: 'released' }]);
  });

  it('waits for whoever ships that order, but not for ever', async () => {
    const module = await Test.createTestingModule({
      imports: [DbLockTestingModule.forRoot()],
      providers: [OrdersService],
    }).compile();
    await module.init();
    const orders = module.get(OrdersService);
    const locks = module.get(TestLocks);
    expect(module.get(LockClient)).toBe(locks.client);

    const lease = await locks.elsewhere.acquire('order:42', { ttl: '1m' });
    await expect(orders.isBusy('42')).resolves.toBe(true);
    const refused = expect(orders.ship('42')).rejects.toThrow(LockBusyError);
    await locks.advance('3s');
    await refused;

    await lease.release();
    await orders.ship('42');
    expect(orders.shipped).toEqual(['42']);
    await module.close();
  });
});

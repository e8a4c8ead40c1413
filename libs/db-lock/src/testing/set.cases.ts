import assert from 'node:assert/strict';
import { LockBusyError } from '../lease/errors.js';
import { eventually, sleep, uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** Several locks at once: all or none. */
export function setCases({ it }: TestRunner, context: CaseContext): void {
  const names = (label: string, count: number) =>
    Array.from({ length: count }, (_, index) => uniqueName(`${label} ${index}`));
  const statesOf = (lockNames: string[]) =>
    Promise.all(lockNames.map(async (name) => (await context.client.inspect(name))?.state ?? 'unknown'));

  it('takes several locks at once, and releases them', async () => {
    const all = names('all', 3);
    const held = await context.client.withLocks(all, async (set) => {
      assert.deepEqual(
        set.leases.map(({ lockName }) => lockName),
        all,
      );
      assert.equal(set.get(all[1]!)?.lockName, all[1]);
      assert.equal(set.signal.aborted, false);
      assert.ok(set.timeLeft > 0);
      for (const name of all) assert.equal(await context.other.tryAcquire(name), null);
      return statesOf(all);
    });
    assert.deepEqual(held, ['held', 'held', 'held']);
    assert.deepEqual(await statesOf(all), ['released', 'released', 'released']);
  });

  it('takes none of several locks when one is busy', async () => {
    const all = names('none', 3);
    const lease = await context.other.acquire(all[1]!);
    assert.equal(await context.client.tryAcquireAll(all), null);
    await assert.rejects(context.client.acquireAll(all), (error: unknown) => {
      assert.ok(error instanceof LockBusyError);
      assert.equal(error.lockName, all[1]);
      assert.equal(error.holder.workerName, lease.workerName);
      return true;
    });
    assert.deepEqual(await statesOf(all), ['unknown', 'held', 'unknown']);
    await lease.release();
  });

  it('repeats a set with the same grantId, and gets the same leases', async () => {
    const all = names('repeat', 2);
    const grantId = '6f1c7c0e-52a1-4d5e-8f0a-2b9f6f0f4f11';
    const first = await context.client.acquireAll(all, { grantId });
    const again = await context.client.acquireAll(all, { grantId });
    assert.deepEqual(
      again.leases.map(({ fencingToken }) => fencingToken),
      first.leases.map(({ fencingToken }) => fencingToken),
    );
    await first.release();
  });

  it('waits until all of several locks are free', async () => {
    const all = names('wait', 3);
    const one = await context.client.acquire(all[0]!, { ttl: '1h' });
    const two = await context.client.acquire(all[2]!, { ttl: '1h' });
    const waiting = context.other.acquireAll(all, { wait: '60s' });
    await eventually(async () => (await context.client.inspect(all[0]!))?.waiting === 1);
    await one.release();
    await eventually(async () => (await context.client.inspect(all[2]!))?.waiting === 1);
    assert.equal((await context.client.inspect(all[0]!))?.state, 'released');
    await two.release();
    const set = await waiting;
    assert.deepEqual(await statesOf(all), ['held', 'held', 'held']);
    await set.release();
    assert.equal((await context.client.inspect(all[2]!))?.waiting, 0);
  });

  it('does not deadlock, whatever the order of the names', async () => {
    const all = names('order', 4);
    let inside = 0;
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => {
        const some = [...all.slice(index % 4), ...all.slice(0, index % 4)].slice(0, 3);
        const wanted = index % 2 ? some : some.toReversed();
        return (index % 3 ? context.client : context.other).withLocks(
          [all[0]!, ...wanted.filter((name) => name !== all[0])],
          { wait: '60s' },
          async () => {
            assert.equal(++inside, 1);
            await sleep(1);
            inside--;
          },
        );
      }),
    );
    assert.deepEqual(await statesOf(all), ['released', 'released', 'released', 'released']);
  });

  it('refuses sets of locks that are none', async () => {
    for (const lockNames of [
      [],
      ['a', 'a'],
      [''],
      Array.from({ length: 101 }, (_, index) => `lock ${index}`),
    ])
      await assert.rejects(context.client.acquireAll(lockNames), { code: 'INVALID_REQUEST' });
  });
}

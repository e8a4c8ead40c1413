import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { isLost } from './basic.cases.js';
import { eventually, sleep, uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** Cases 11 to 16, 19 and 21: what a lease is. */
export function leaseCases({ it }: TestRunner, context: CaseContext): void {
  const expired = async (name: string): Promise<void> =>
    eventually(async () => (await context.client.inspect(name))?.state === 'expired');

  /** The key to a lease that has expired. Asked of the server: a slow client would not count so short a lease as one. */
  const expiredLease = async (lockName: string) => {
    const key = { lockName, grantId: randomUUID() };
    const answer = await context.server.acquire({ ...key, workerName: 'ann', ttl: 30 });
    assert.equal(answer.outcome, 'granted');
    await expired(lockName);
    return key;
  };

  it('11 frees a lock when its lease expires', async () => {
    const name = uniqueName('expiry');
    await expiredLease(name);
    await (await context.other.acquire(name)).release();
  });

  it('12 extends a lease by renewing it, and never shortens it', async () => {
    const name = uniqueName('renewal');
    const lease = await context.client.acquire(name, { ttl: '5s' });
    const { expireTime, fencingToken, lockTime } = lease;
    await lease.renew('60s');
    assert.ok(lease.expireTime.getTime() - expireTime.getTime() > 50_000);
    assert.ok(lease.timeLeft > 50_000);
    assert.equal(lease.fencingToken, fencingToken);
    assert.deepEqual(lease.lockTime, lockTime);
    const extended = lease.expireTime;
    await lease.renew('1s');
    assert.deepEqual(lease.expireTime, extended);
    await lease.release();
  });

  it('13 lives through a chain of renewals', async () => {
    const name = uniqueName('chain');
    const lease = await context.client.acquire(name, { ttl: 2500 });
    for (let renewals = 0; renewals < 6; renewals++) {
      await sleep(500);
      await lease.renew();
      assert.equal(await context.other.tryAcquire(name), null);
    }
    assert.equal(lease.signal.aborted, false);
    await lease.release();
  });

  it('14 refuses to renew an expired lease, though nobody took it', async () => {
    const name = uniqueName('late');
    const lease = await context.client.acquire(name, { ttl: 1500 });
    await expired(name);
    await assert.rejects(lease.renew('10s'), isLost);
    const answer = await context.server.renew({ lockName: name, grantId: lease.grantId, ttl: 10_000 });
    assert.equal(answer.outcome, 'lost');
    assert.equal((await context.client.inspect(name))?.state, 'expired');
  });

  it('15 refuses to renew a lease after a takeover', async () => {
    const name = uniqueName('takeover');
    const key = await expiredLease(name);
    const successor = await context.other.acquire(name);
    const answer = await context.server.renew({ ...key, ttl: 60_000 });
    assert.equal(answer.outcome, 'lost');
    assert.deepEqual((await context.client.inspect(name))?.expireTime, successor.expireTime);
    await successor.release();
  });

  it('16 spares the successor from a late release', async () => {
    const name = uniqueName('spared');
    const key = await expiredLease(name);
    const successor = await context.other.acquire(name);
    const answer = await context.server.release(key);
    assert.equal(answer.outcome, 'lost');
    assert.equal((await context.client.inspect(name))?.fencingToken, successor.fencingToken);
    assert.equal((await context.client.inspect(name))?.state, 'held');
    await successor.release();
  });

  it('19 takes TTLs below a second', async () => {
    const name = uniqueName('short');
    for (const ttl of [1, 250, 900]) {
      const answer = await context.server.acquire({
        lockName: name,
        workerName: 'ann',
        grantId: randomUUID(),
        ttl,
      });
      assert.equal(answer.outcome, 'granted');
      assert.equal(answer.lease.expireTime.getTime() - answer.lease.lockTime.getTime(), ttl);
      await expired(name);
    }
  });

  it('21 leaves nothing behind when a renewal races a release', async () => {
    for (let round = 0; round < 20; round++) {
      const name = uniqueName('race');
      const lease = await context.client.acquire(name, { ttl: 5000 });
      const renewal = lease.renew('60s').catch((error: unknown) => assert.ok(isLost(error)));
      await Promise.all([lease.release(), renewal]);
      assert.equal((await context.client.inspect(name))?.state, 'released');
      assert.equal(lease.signal.aborted, false);
      assert.equal(lease.timeLeft, 0);
    }
  });
}

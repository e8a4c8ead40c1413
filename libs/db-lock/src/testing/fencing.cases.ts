import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { LockBusyError } from '../lease/errors.js';
import { eventually, uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** Cases 22 to 25 and force release: what a fencing token is. */
export function fencingCases({ it }: TestRunner, context: CaseContext, grants = 10_000): void {
  /** A lease that expires soon, and its token. Asked of the server: a slow client would not count it as a lease. */
  const briefGrant = async (lockName: string): Promise<number> => {
    const answer = await context.server.acquire({
      lockName,
      workerName: 'ann',
      grantId: randomUUID(),
      ttl: 30,
    });
    assert.equal(answer.outcome, 'granted');
    return answer.lease.fencingToken;
  };

  it(`22 lets tokens grow over ${grants} grants`, async () => {
    const name = uniqueName('token');
    let newest = 0;
    for (let granted = 0; granted < grants; granted++) {
      const grantId = randomUUID();
      const [answer] = await context.store.acquire([
        { lockName: name, workerName: 'ann', grantId, ttl: 60_000, metadata: null },
      ]);
      assert.equal(answer?.outcome, 'granted');
      assert.ok(answer.lease.fencingToken > newest);
      newest = answer.lease.fencingToken;
      await context.store.release([{ lockName: name, grantId }]);
    }
    assert.ok(Number.isSafeInteger(newest));
  }, 300_000);

  it('22 lets tokens grow across expiry, force release, clean-up and restart', async () => {
    const name = uniqueName('grows');
    const tokens: number[] = [];
    const grant = async (ttl: number) => {
      const lease = await context.client.acquire(name, { ttl });
      tokens.push(lease.fencingToken);
      return lease;
    };
    tokens.push(await briefGrant(name));
    await eventually(async () => (await context.client.inspect(name))?.state === 'expired');
    await grant(60_000);
    await context.server.desk.forceRelease({ lockName: name, actor: 'operator', reason: 'test' });
    tokens.push((await context.client.inspect(name))!.fencingToken);
    await (await grant(60_000)).release();
    await eventually(async () => {
      await context.store.removeIdle(1);
      return (await context.client.inspect(name)) === null;
    });
    await (await grant(60_000)).release();
    await context.restart();
    await (await grant(60_000)).release();
    for (const [index, token] of tokens.entries())
      assert.ok(index === 0 || token > tokens[index - 1]!, tokens.join(', '));
  }, 60_000);

  it('23 answers a repeat of an acquire with the same lease', async () => {
    const name = uniqueName('repeat');
    const grantId = randomUUID();
    const first = await context.client.acquire(name, { ttl: '20s', grantId, workerName: 'ann' });
    const again = await context.other.acquire(name, {
      ttl: '20s',
      grantId: grantId.toUpperCase(),
      workerName: 'ann',
    });
    assert.equal(again.fencingToken, first.fencingToken);
    assert.deepEqual(again.lockTime, first.lockTime);
    assert.deepEqual(again.expireTime, first.expireTime);
    assert.ok(again.timeLeft <= 20_000);

    const crowd = await Promise.all([
      ...Array.from({ length: 5 }, () => context.client.tryAcquire(name)),
      ...Array.from({ length: 5 }, () => context.client.tryAcquire(name, { grantId })),
    ]);
    assert.deepEqual(
      crowd.map((lease) => lease?.fencingToken),
      [...Array.from({ length: 5 }, () => undefined), ...Array.from({ length: 5 }, () => first.fencingToken)],
    );
    await first.release();
  });

  it('24 lets a guarded resource refuse a stale holder', async () => {
    const name = uniqueName('guarded');
    let newest = 0;
    const write = ({ fencingToken }: { fencingToken: number }) => {
      if (fencingToken < newest) return false;
      newest = fencingToken;
      return true;
    };
    const stale = { fencingToken: await briefGrant(name) };
    assert.ok(write(stale));
    await eventually(async () => (await context.client.inspect(name))?.state === 'expired');
    const fresh = await context.other.acquire(name);
    assert.ok(write(fresh));
    assert.equal(write(stale), false);
    await fresh.release();
  });

  it('25 carries tokens exactly through JSON', async () => {
    const name = uniqueName('exact');
    const lease = await context.client.acquire(name);
    const [stored] = await context.store.inspect([name]);
    assert.equal(lease.fencingToken, stored!.fencingToken);
    const copy = JSON.parse(JSON.stringify({ token: lease.fencingToken })) as { token: number };
    assert.equal(copy.token, stored!.fencingToken);
    assert.ok(lease.fencingToken < 2 ** 53);
    await lease.release();
  });

  it('frees a lock by force, makes the old token stale and records who and why', async () => {
    const name = uniqueName('forced');
    const lease = await context.client.acquire(name, { ttl: '60s', workerName: 'ann' });
    const forced = await context.server.desk.forceRelease({
      lockName: name,
      actor: 'eve',
      reason: 'it hangs',
    });
    assert.equal(forced?.grantId, lease.grantId);
    const freed = await context.client.inspect(name);
    assert.equal(freed?.state, 'released');
    assert.ok(freed.fencingToken > lease.fencingToken);

    const successor = await context.other.acquire(name);
    assert.ok(successor.fencingToken > freed.fencingToken);
    await assert.rejects(lease.renew(), { code: 'LEASE_LOST' });
    assert.equal(lease.signal.aborted, true);
    await assert.rejects(lease.release(), { code: 'LEASE_LOST' });
    assert.equal((await context.client.inspect(name))?.state, 'held');
    await successor.release();

    const forcedEvents = async () => {
      const { items } = await context.server.desk.history(name);
      return items.filter(({ event }) => event === 'forced');
    };
    const [record, ...others] = await forcedEvents();
    assert.equal(others.length, 0);
    assert.deepEqual(
      { ...record, cursor: null, eventTime: null },
      {
        cursor: null,
        lockName: name,
        event: 'forced',
        workerName: 'ann',
        grantId: `${lease.grantId.slice(0, 8)}…`,
        fencingToken: lease.fencingToken,
        actor: 'eve',
        reason: 'it hangs',
        details: null,
        eventTime: null,
      },
    );
    const again = await context.server.desk.forceRelease({ lockName: name, actor: 'eve', reason: 'again' });
    assert.equal(again, null);
    assert.equal((await forcedEvents()).length, 1);
  });

  it('names the holder to whom it refuses', async () => {
    const name = uniqueName('named');
    const lease = await context.client.acquire(name, { workerName: 'ann' });
    const refusals = await Promise.all(
      Array.from({ length: 20 }, () => context.other.acquire(name).catch((error: LockBusyError) => error)),
    );
    for (const refusal of refusals) {
      assert.equal((refusal as LockBusyError).code, 'LOCK_BUSY');
      assert.equal((refusal as LockBusyError).holder.workerName, 'ann');
    }
    await lease.release();
  });
}

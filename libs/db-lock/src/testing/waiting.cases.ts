import assert from 'node:assert/strict';
import { LockBusyError } from '../lease/errors.js';
import { TURN } from '../store/wait-queue.js';
import { BRIEF, eventually, sleep, uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** How many wait at once where order is looked at. */
const WAITERS = 12;

/** Cases 20 and 26 to 32: what those who wait get, and what they leave behind. */
export function waitingCases({ it }: TestRunner, context: CaseContext): void {
  const queueOf = async (lockName: string) =>
    (await context.client.inspect(lockName))?.queue.map(({ workerName }) => workerName);

  /** Lets somebody wait for the lock, and returns when it stands in the queue behind `before` others; it does so `since` then at the latest. */
  const waitFor = async (lockName: string, workerName: string, before = 0, signal?: AbortSignal) => {
    const lease = context.other.acquire(lockName, { wait: '60s', ttl: '30s', workerName, signal });
    lease.catch(() => undefined); // whoever waits for it tells
    const seen: { since?: Date } = {};
    await eventually(async () => {
      const { queue = [], serverTime } = (await context.client.inspect(lockName)) ?? {};
      seen.since = serverTime;
      return queue.length > before && queue.at(-1)!.workerName === workerName;
    });
    return { lease, since: seen.since! };
  };

  it('20 keeps the lock for minHold, also when it is released sooner', async () => {
    const name = uniqueName('min-hold');
    const lease = await context.client.acquire(name, { ttl: '30s', minHold: 1_500 });
    const end = lease.lockTime.getTime() + 1_500;
    await lease.release();
    const early = await context.other.tryAcquire(name);
    // Where something stood still meanwhile, the time may be over.
    assert.ok(!early || early.lockTime.getTime() >= end);
    await early?.release();
    const seen = await context.other.inspect(name);
    assert.ok(seen?.workerName === lease.workerName || seen!.serverTime.getTime() >= end);
    await lease.release();
    const next = await context.other.acquire(name, { wait: '60s' });
    assert.ok(next.lockTime.getTime() >= end);
    assert.ok(next.fencingToken > lease.fencingToken);
    await next.release();
  });

  it('20 frees at once a lock that was held for longer than minHold', async () => {
    const name = uniqueName('min-held');
    const lease = await context.client.acquire(name, { ttl: '30s', minHold: 100 });
    await sleep(150);
    await lease.release();
    assert.equal((await context.other.inspect(name))?.state, 'released');
  });

  it('20 refuses a minHold that the TTL does not cover', async () => {
    await assert.rejects(context.client.acquire(uniqueName('m'), { ttl: 100, minHold: 101 }), {
      code: 'INVALID_REQUEST',
      issues: [{ field: 'minHold', rule: 'must be at most the ttl' }],
    });
  });

  it('26 waits for so long, and then says who is busy', async () => {
    const name = uniqueName('patience');
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const began = performance.now();
    await assert.rejects(context.other.acquire(name, { wait: 300 }), (error: unknown) => {
      assert.ok(error instanceof LockBusyError);
      assert.equal(error.holder.workerName, lease.workerName);
      assert.ok(error.retryAfter! > 3_000_000);
      return true;
    });
    assert.ok(performance.now() - began >= 300);
    assert.equal(await context.other.tryAcquire(name, { wait: '100ms' }), null);
    await eventually(async () => (await queueOf(name))?.length === 0);
    await lease.release();
  });

  it('26 does not wait for a lock that is free', async () => {
    const lease = await context.client.acquire(uniqueName('free'), { wait: '24h' });
    await lease.release();
  });

  it('27 wakes who waits when the lock is released', async () => {
    const name = uniqueName('release');
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const { lease: waiting } = await waitFor(name, 'bob');
    await lease.release();
    const next = await waiting;
    assert.ok(next.fencingToken > lease.fencingToken);
    assert.equal((await context.client.inspect(name))?.workerName, 'bob');
    await next.release();
    await eventually(async () => (await queueOf(name))?.length === 0);
  });

  it('27 wakes who waits when the lease expires', async () => {
    const name = uniqueName('expiry');
    const lease = await context.client.acquire(name, { ttl: BRIEF, keepAlive: false });
    const next = await context.other.acquire(name, { wait: '60s' });
    assert.ok(next.lockTime.getTime() >= lease.expireTime.getTime());
    await next.release();
  });

  it('27 wakes who waits when the lock is released by force', async () => {
    const name = uniqueName('force');
    await context.client.acquire(name, { ttl: '1h' });
    const { lease: waiting } = await waitFor(name, 'bob');
    await context.server.desk.forceRelease({ lockName: name, actor: 'eve', reason: 'test' });
    await (await waiting).release();
  });

  it('27 trusts a lease from its grant on, not from when the wait began', async () => {
    const name = uniqueName('trust');
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const waiting = context.other.acquire(name, { wait: '60s', ttl: 12_000 });
    await sleep(1_500);
    const released = performance.now();
    await lease.release();
    const next = await waiting;
    // Of its time, whatever has passed since the release: from when the wait began, it would be 1,500 ms less.
    const left = next.timeLeft + performance.now() - released;
    assert.ok(left > 12_000 - 1_500, `${left} ms would be left`);
    await next.release();
  });

  it('28 leaves no waiter and no lease behind when the wait is cancelled', async () => {
    const name = uniqueName('cancel');
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const enough = new AbortController();
    const { lease: waiting } = await waitFor(name, 'bob', 0, enough.signal);
    const why = new Error('enough');
    enough.abort(why);
    await assert.rejects(waiting, (error) => error === why);
    await eventually(async () => (await queueOf(name))?.length === 0);
    await lease.release();
    await sleep(100); // Time for whoever should not have waited any longer.
    await eventually(async () => (await context.client.inspect(name))?.state === 'released');
  });

  it('28 leaves nothing behind when it is cancelled while the lock is handed over', async () => {
    const name = uniqueName('cancelled hand-over');
    for (let round = 0; round < 20; round++) {
      const lease = await context.client.acquire(name, { ttl: '1h', wait: '60s' });
      const enough = new AbortController();
      const { lease: waiting } = await waitFor(name, 'bob', 0, enough.signal);
      const releasing = lease.release();
      await sleep(Math.random() * 4);
      enough.abort(new Error('enough'));
      const next = await waiting.catch(() => undefined);
      await releasing;
      await next?.release();
    }
    await eventually(async () => (await context.client.inspect(name))?.state === 'released');
    await eventually(async () => (await queueOf(name))?.length === 0);
  });

  it('29 serves those who wait in the order in which they came', async () => {
    const name = uniqueName('order');
    const served: string[] = [];
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const workers = Array.from({ length: WAITERS }, (_, index) => `worker ${index}`);
    const leases = [];
    for (const [index, worker] of workers.entries()) leases.push(await waitFor(name, worker, index));
    assert.deepEqual(await queueOf(name), workers);
    assert.equal((await context.client.inspect(name))?.waiting, WAITERS);
    await lease.release();
    await Promise.all(
      leases.map(async ({ lease: waiting }) => {
        const next = await waiting;
        served.push(next.workerName);
        await next.release();
      }),
    );
    assert.deepEqual(served, workers);
  });

  it('29 lets one at a time in, however many wait', async () => {
    const name = uniqueName('crowd');
    let inside = 0;
    let most = 0;
    const tokens: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        (index % 2 ? context.client : context.other).withLock(name, { wait: '60s' }, async (lease) => {
          most = Math.max(most, ++inside);
          tokens.push(lease.fencingToken);
          await sleep(1);
          inside--;
        }),
      ),
    );
    assert.equal(most, 1);
    assert.equal(new Set(tokens).size, 60);
    assert.deepEqual(
      tokens,
      tokens.toSorted((one, other) => one - other),
    );
  });

  it('29 keeps a lock that comes free for who waits: one who only tries is refused', async () => {
    const name = uniqueName('barging');
    let lease = await context.client.acquire(name, { ttl: '1h' });
    for (let round = 0; round < 10; round++) {
      const { lease: waiting, since } = await waitFor(name, `bob ${round}`);
      const [, barged] = await Promise.all([lease.release(), context.client.tryAcquire(name)]);
      if (barged) {
        // It is kept for no longer than that: somewhere, something stood still meanwhile.
        assert.ok(barged.lockTime.getTime() - since.getTime() >= TURN, 'somebody barged in');
        await barged.release();
      }
      lease = await waiting;
    }
    await lease.release();
  });

  it('29 passes on no lock that a late release does not own', async () => {
    const name = uniqueName('late release');
    const late = await context.client.acquire(name, { ttl: BRIEF, keepAlive: false });
    const holder = await context.client.acquire(name, { wait: '60s', ttl: '1h', workerName: 'holder' });
    const { lease: waiting } = await waitFor(name, 'bob');
    await assert.rejects(late.release(), { code: 'LEASE_LOST' });
    const lock = await context.client.inspect(name);
    assert.equal(lock?.workerName, 'holder');
    assert.equal(lock?.fencingToken, holder.fencingToken);
    assert.deepEqual(await queueOf(name), ['bob']);
    await holder.release();
    await (await waiting).release();
  });

  it('32 never waits with a signal that has aborted', async () => {
    const name = uniqueName('aborted wait');
    const signal = AbortSignal.abort(new Error('no'));
    await assert.rejects(context.client.acquire(name, { wait: '60s', signal }), { message: 'no' });
    assert.equal(await context.client.inspect(name), null);
  });

  it('refuses waits that are none', async () => {
    for (const wait of [-1, 0.5, Number.NaN, Infinity, '25h', 'soon'])
      await assert.rejects(context.client.acquire(uniqueName('w'), { wait }), (error: unknown) => {
        assert.equal((error as { issues: Array<{ field: string }> }).issues[0]!.field, 'wait');
        return true;
      });
  });
}

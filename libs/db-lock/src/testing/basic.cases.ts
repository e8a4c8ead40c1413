import assert from 'node:assert/strict';
import { InvalidLockRequestError, LeaseLostError, LockBusyError } from '../lease/errors.js';
import { uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** Cases 1 to 10: what a lock is. */
export function basicCases({ it }: TestRunner, context: CaseContext): void {
  it('1 acquires, shows and releases a lock', async () => {
    const name = uniqueName('basic');
    assert.equal(await context.client.inspect(name), null);
    const lease = await context.client.acquire(name, { ttl: '20s', workerName: 'ann', metadata: { job: 7 } });
    const held = await context.client.inspect(name);
    assert.equal(held?.state, 'held');
    assert.equal(held.workerName, 'ann');
    assert.equal(held.fencingToken, lease.fencingToken);
    assert.deepEqual(held.metadata, { job: 7 });
    assert.deepEqual(held.expireTime, lease.expireTime);
    assert.equal(lease.expireTime.getTime() - lease.lockTime.getTime(), 20_000);
    assert.ok(!JSON.stringify(held).includes(lease.grantId), 'the key to the lease is shown to everybody');

    await lease.release();
    const released = await context.client.inspect(name);
    assert.equal(released?.state, 'released');
    assert.equal(released.workerName, null);
    assert.equal(released.metadata, null);
  });

  it('2 refuses a second acquire and leaves the holder unchanged', async () => {
    const name = uniqueName('second');
    const lease = await context.client.acquire(name, { ttl: '20s', workerName: 'ann' });
    const before = await context.client.inspect(name);
    const refusal = await context.other
      .acquire(name, { ttl: '40s', workerName: 'bob' })
      .catch((error: unknown) => error);
    assert.ok(refusal instanceof LockBusyError);
    assert.equal(refusal.holder.workerName, 'ann');
    assert.deepEqual(refusal.holder.expireTime, lease.expireTime);
    assert.ok(refusal.retryAfter! > 0 && refusal.retryAfter! <= 20_000);
    assert.equal(await context.client.tryAcquire(name), null, 'the holder itself gets no second lease');
    const after = await context.client.inspect(name);
    assert.deepEqual({ ...after, serverTime: null }, { ...before, serverTime: null });
    await lease.release();
  });

  it('3 keeps different names apart', async () => {
    const [one, two] = [uniqueName('one'), uniqueName('two')];
    const leases = await Promise.all([context.client.acquire(one), context.other.acquire(two)]);
    await leases[0].release();
    assert.equal((await context.client.inspect(two))?.state, 'held');
    await leases[1].release();
  });

  it('4 locks again and again', async () => {
    const name = uniqueName('again');
    for (let round = 0; round < 10; round++) await (await context.client.acquire(name)).release();
    assert.equal((await context.client.inspect(name))?.state, 'released');
  });

  it('5 has one winner among many first acquires of a name', async () => {
    const name = uniqueName('first');
    const attempts = Array.from({ length: 40 }, (_, index) =>
      (index % 2 ? context.client : context.other).tryAcquire(name),
    );
    const winners = (await Promise.all(attempts)).filter((lease) => lease !== null);
    assert.equal(winners.length, 1);
    await winners[0]!.release();
  });

  it("6 refuses a release by who doesn't hold the lock", async () => {
    const name = uniqueName('stranger');
    const lease = await context.client.acquire(name);
    const stranger = await context.server.release({
      lockName: name,
      grantId: '00000000-0000-4000-8000-000000000000',
    });
    assert.equal(stranger.outcome, 'lost');
    assert.equal((await context.client.inspect(name))?.fencingToken, lease.fencingToken);
    assert.equal((await context.client.inspect(name))?.state, 'held');
    await lease.release();
  });

  it('7 makes a double release harmless, also to a successor', async () => {
    const name = uniqueName('double');
    const lease = await context.client.acquire(name);
    await lease.release();
    await lease.release();
    const successor = await context.other.acquire(name);
    await lease.release();
    const late = await context.server.release({ lockName: name, grantId: lease.grantId });
    assert.equal(late.outcome, 'lost');
    assert.equal((await context.client.inspect(name))?.state, 'held');
    await successor.release();
  });

  it('8 compares names byte by byte, whatever they hold', async () => {
    const suffix = uniqueName('');
    const names = [
      'Job',
      'job',
      'job ',
      ' job',
      'jöb',
      'jo\u0308b',
      'JÖB',
      'a/b',
      'a%2Fb',
      'a%b',
      "it's",
      '"quoted"',
      '🔒',
      '锁',
      'a\\b',
      'a\nb',
      'a?b#c&d=e',
      '$1',
      '{x}',
      '...',
      'ß',
      'ss',
      'ſ',
    ].map((name) => name + suffix);
    const leases = await Promise.all(names.map((name) => context.client.acquire(name)));
    for (const [index, name] of names.entries()) {
      const lock = await context.client.inspect(name);
      assert.equal(lock?.lockName, name);
      assert.equal(lock.fencingToken, leases[index]!.fencingToken);
      assert.equal(await context.other.tryAcquire(name), null);
    }
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('8 takes names of 255 characters and refuses what does not fit, without cutting', async () => {
    for (const longest of ['x'.repeat(255), '🔒'.repeat(255), '锁'.repeat(255)]) {
      const lease = await context.client.acquire(longest);
      assert.equal((await context.client.inspect(longest))?.lockName, longest);
      await lease.release();
    }
    const unfit = [
      '',
      'x'.repeat(256),
      '🔒'.repeat(256),
      '.',
      '..',
      'a\0b',
      'a\ud800b',
      42,
      null,
      undefined,
      {},
    ];
    for (const name of unfit) {
      await assert.rejects(context.client.acquire(name as string), isInvalid('lockName'));
      await assert.rejects(context.client.inspect(name as string), isInvalid('lockName'));
    }
  });

  it('9 refuses TTLs that are none', async () => {
    const name = uniqueName('ttl');
    const unfit = [
      0,
      -1,
      NaN,
      Infinity,
      1.5,
      30 * 24 * 3600 * 1000 + 1,
      '31d',
      '30',
      'soon',
      '0s',
      '-1s',
      '0.5ms',
      null,
      {},
    ];
    for (const ttl of unfit)
      await assert.rejects(context.client.acquire(name, { ttl: ttl as number }), isInvalid('ttl'));
    assert.equal(await context.client.inspect(name), null, 'a refused acquire left a row behind');
    for (const ttl of ['30d', 30 * 24 * 3600 * 1000, '1.5s'])
      await (await context.client.acquire(name, { ttl })).release();
  });

  it('9 refuses unknown options and metadata that do not fit', async () => {
    const name = uniqueName('options');
    const unfit: Array<[string, object]> = [
      ['weight', { weight: 1 }],
      ['workerName', { workerName: '' }],
      ['grantId', { grantId: 'not-a-uuid' }],
      ['metadata', { metadata: { text: 'x'.repeat(8192) } }],
      ['metadata', { metadata: [1] }],
      ['metadata', { metadata: { text: 'a\0b' } }],
      ['metadata', { metadata: { text: 'a\ud800b' } }],
      ['keepAlive', { keepAlive: 'yes' }],
    ];
    for (const [field, options] of unfit)
      await assert.rejects(context.client.acquire(name, options), isInvalid(field));
    assert.equal(await context.client.inspect(name), null);
  });

  it('10 never has two holders among 200 contenders', async () => {
    const name = uniqueName('contended');
    let holders = 0;
    let most = 0;
    let grants = 0;
    const contend = async (index: number): Promise<void> => {
      const client = index % 2 ? context.client : context.other;
      for (let tries = 0; tries < 3; tries++) {
        const lease = await client.tryAcquire(name);
        if (!lease) continue;
        grants++;
        most = Math.max(most, ++holders);
        await new Promise(setImmediate);
        holders--;
        await lease.release();
      }
    };
    await Promise.all(Array.from({ length: 200 }, (_, index) => contend(index)));
    assert.equal(most, 1);
    assert.ok(grants >= 1);
  }, 60_000);
}

/** The error of a request that breaks a rule of one field. */
export function isInvalid(field: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof InvalidLockRequestError, String(error));
    assert.ok(
      error.issues.some((issue) => issue.field === field || issue.field.startsWith(`${field}.`)),
      `${JSON.stringify(error.issues)} do not name ${field}`,
    );
    return true;
  };
}

/** The error of a lease that is lost. */
export function isLost(error: unknown): boolean {
  assert.ok(error instanceof LeaseLostError, String(error));
  return true;
}

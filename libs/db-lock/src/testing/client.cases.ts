import { ImATeapotException } from '@nestjs/common';
import assert from 'node:assert/strict';
import { sleep, uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** Cases 33 to 35 and 37: what a client does for the work it protects. */
export function clientCases({ it }: TestRunner, context: CaseContext): void {
  it('33 passes results and errors through unchanged', async () => {
    const name = uniqueName('through');
    const result = { some: 'thing' };
    assert.equal(await context.client.withLock(name, () => result), result);
    assert.equal(await context.client.withLock(name, { ttl: '5s' }, async () => result), result);
    for (const thrown of [new ImATeapotException(), new TypeError('x'), 'text', undefined]) {
      const caught = await context.client
        .withLock(name, () => {
          throw thrown;
        })
        .then(
          () => 'nothing',
          (error: unknown) => error,
        );
      assert.equal(caught, thrown);
    }
  });

  it('33 keeps the result of the work when the lease was lost meanwhile', async () => {
    const name = uniqueName('kept');
    const result = await context.client.withLock(name, async (lease) => {
      await context.server.desk.forceRelease({ lockName: name, actor: 'eve', reason: 'test' });
      return lease.fencingToken;
    });
    assert.equal(typeof result, 'number');
  });

  it('34 releases when the work throws', async () => {
    const name = uniqueName('throws');
    await assert.rejects(
      context.client.withLock(name, async () => {
        assert.equal((await context.other.inspect(name))?.state, 'held');
        throw new Error('work');
      }),
      { message: 'work' },
    );
    assert.equal((await context.client.inspect(name))?.state, 'released');
  });

  it('35 releases at the end of an `await using` block', async () => {
    const name = uniqueName('using');
    {
      await using lease = await context.client.acquire(name);
      assert.equal((await context.other.inspect(name))?.fencingToken, lease.fencingToken);
    }
    assert.equal((await context.client.inspect(name))?.state, 'released');
    const nobody = await context.client.tryAcquire(name);
    await nobody?.release();
    {
      await using forced = await context.client.acquire(name);
      await context.server.desk.forceRelease({ lockName: forced.lockName, actor: 'eve', reason: 'test' });
    }
  });

  it('37 keeps the lease of work that outlives its TTL', async () => {
    const name = uniqueName('alive');
    await context.client.withLock(name, { ttl: 2000 }, async (lease) => {
      const { fencingToken } = lease;
      for (let looks = 0; looks < 10; looks++) {
        await sleep(300);
        assert.equal(await context.other.tryAcquire(name), null);
      }
      assert.equal(lease.signal.aborted, false);
      assert.equal(lease.fencingToken, fencingToken);
    });
    assert.equal((await context.client.inspect(name))?.state, 'released');
  });

  it('gives up an acquire whose signal has aborted', async () => {
    const name = uniqueName('aborted');
    await assert.rejects(context.client.acquire(name, { signal: AbortSignal.abort(new Error('no')) }), {
      message: 'no',
    });
    assert.equal(await context.client.inspect(name), null);
  });
}

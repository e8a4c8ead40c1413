import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Lease } from '../client/lease.js';
import type { LockClient } from '../client/lock-client.js';
import { LeaseLostError } from '../lease/errors.js';
import { BRIEF, eventually, sleep, uniqueName, type CaseContext } from './context.js';
import type { TestRunner } from './subject.js';

/** Counts who is inside a lock, and notes when that breaks a rule. */
class Overlap {
  permits = 0;
  writers = 0;
  most = 0;
  readonly faults: string[] = [];

  enter({ mode, permits, limit }: Lease): void {
    if (mode === 'exclusive') {
      if (this.permits > 0 || this.writers > 0) this.faults.push(`a writer beside ${this.permits} permits`);
      this.writers++;
      return;
    }
    if (this.writers > 0) this.faults.push('a reader beside a writer');
    this.permits += permits!;
    this.most = Math.max(this.most, this.permits);
    if (limit !== null && this.permits > limit) this.faults.push(`${this.permits} permits of ${limit}`);
  }

  leave({ mode, permits }: Lease): void {
    if (mode === 'exclusive') this.writers--;
    else this.permits -= permits!;
  }
}

const release = (leases: Iterable<Lease>) => Promise.all([...leases].map((lease) => lease.release()));

const repeat = <Result>(count: number, make: (index: number) => Result) =>
  Array.from({ length: count }, (_, index) => make(index));

/** Leases in shared mode, and semaphores. */
export function sharedCases({ it }: TestRunner, context: CaseContext): void {
  const of = (index: number): LockClient => (index % 2 === 0 ? context.client : context.other);
  const stateOf = async (name: string) => (await context.client.inspect(name))?.state;
  const waitingFor = async (name: string) => (await context.client.inspect(name))?.waiting;
  const queued = (name: string, count: number) => eventually(async () => (await waitingFor(name)) === count);
  /** It was refused; or granted when the time was over, by the store's clock: somewhere, something stood still meanwhile. */
  const refusedUntil = async (end: number, lease: Lease | null) => {
    assert.ok(!lease || lease.lockTime.getTime() >= end, 'it was granted too early');
    await lease?.release();
  };

  it('53 lets readers overlap, and never with a writer', async () => {
    const name = uniqueName('readers');
    const readers = await Promise.all(repeat(5, (index) => of(index).acquire(name, { mode: 'shared' })));
    assert.equal(await context.other.tryAcquire(name), null);
    const info = await context.client.inspect(name);
    assert.equal(info?.state, 'held');
    assert.deepEqual(info.sharing, { holders: 5, permits: 5, limits: [] });
    assert.deepEqual(
      info.holders.map(({ fencingToken }) => fencingToken),
      readers.map(({ fencingToken }) => fencingToken).toSorted((one, other) => one - other),
    );
    await release(readers.slice(1));
    assert.equal(await context.other.tryAcquire(name), null);
    await readers[0]!.release();
    assert.equal(await stateOf(name), 'released');
    const writer = await context.other.acquire(name);
    assert.equal(writer.mode, 'exclusive');
    assert.equal(await context.client.tryAcquire(name, { mode: 'shared' }), null);
    await writer.release();
    const overlap = new Overlap();
    await Promise.all(
      repeat(60, (index) =>
        of(index).withLock(
          name,
          { wait: '60s', mode: index % 5 === 0 ? 'exclusive' : 'shared' },
          async (lease) => {
            overlap.enter(lease);
            await sleep(1);
            overlap.leave(lease);
          },
        ),
      ),
    );
    assert.deepEqual(overlap.faults, []);
    assert.equal(await stateOf(name), 'released');
  });

  it('54 never has more permits taken than the limit, with 200 callers', async () => {
    const name = uniqueName('limit');
    const overlap = new Overlap();
    await Promise.all(
      repeat(200, (index) =>
        of(index).withLock(name, { limit: 5, permits: 1 + (index % 3), wait: '60s' }, async (lease) => {
          overlap.enter(lease);
          await sleep(Math.random() * 3);
          overlap.leave(lease);
        }),
      ),
    );
    assert.deepEqual(overlap.faults, []);
    assert.ok(overlap.most > 3, `at most ${overlap.most} permits were ever taken together`);
  });

  it('54 has the permits of an expired lease back, and not before', async () => {
    const name = uniqueName('expiring permits');
    const lease = await context.client.acquire(name, { limit: 2, permits: 2, ttl: BRIEF, keepAlive: false });
    await refusedUntil(lease.expireTime.getTime(), await context.other.tryAcquire(name, { limit: 2 }));
    const next = await context.other.acquire(name, { limit: 2, wait: '30s' });
    assert.ok(next.lockTime >= lease.expireTime, 'it was granted before the lease had expired');
    await assert.rejects(lease.release(), LeaseLostError);
    await next.release();
  });

  it('55 holds each caller to its own limit at its grant', async () => {
    const name = uniqueName('limits');
    const leases = [
      await context.client.acquire(name, { limit: 3, permits: 2 }),
      await context.other.acquire(name, { limit: 10, permits: 5 }),
    ];
    assert.equal(await context.client.tryAcquire(name, { limit: 7 }), null);
    assert.equal(await context.client.tryAcquire(name, { limit: 1 }), null);
    leases.push(await context.client.acquire(name, { limit: 8 }));
    leases.push(await context.client.acquire(name, { mode: 'shared', permits: 100 }));
    assert.deepEqual((await context.client.inspect(name))?.sharing, {
      holders: 4,
      permits: 108,
      limits: [3, 8, 10],
    });
    await release(leases);
  });

  it('56 has tokens that grow over all modes', async () => {
    const name = uniqueName('tokens');
    const tokens: number[] = [];
    for (let round = 0; round < 5; round++) {
      const writer = await context.client.acquire(name);
      tokens.push(writer.fencingToken);
      await writer.downgrade();
      tokens.push(writer.fencingToken);
      const reader = await context.other.acquire(name, { mode: 'shared' });
      tokens.push(reader.fencingToken);
      await writer.release();
      tokens.push((await context.client.acquire(name, { limit: 5 })).fencingToken);
      const [forced] = await context.server.desk.forceReleaseAll({
        locks: [{ lockName: name }],
        actor: 'eve',
        reason: 'next',
      });
      assert.equal(forced?.outcome, 'forced');
    }
    const batch = await Promise.all(repeat(10, (index) => of(index).acquire(name, { limit: 10 })));
    tokens.push(...batch.map(({ fencingToken }) => fencingToken).toSorted((one, other) => one - other));
    for (const [index, token] of tokens.entries())
      if (index > 0) assert.ok(token > tokens[index - 1]!, `token ${index} of ${tokens.join(', ')}`);
    await release(batch);
  });

  it('57 serves a waiting writer before readers that come later, and lets a run of readers in together', async () => {
    const name = uniqueName('order');
    const order: string[] = [];
    const first = await context.client.acquire(name, { mode: 'shared' });
    const writing = context.other.acquire(name, { wait: '60s' }).then((lease) => {
      order.push('writer');
      return lease;
    });
    await queued(name, 1);
    assert.equal(await context.client.tryAcquire(name, { mode: 'shared' }), null);
    const reading = repeat(4, (index) =>
      of(index)
        .acquire(name, { mode: 'shared', wait: '60s' })
        .then((lease) => {
          order.push('reader');
          return lease;
        }),
    );
    await queued(name, 5);
    assert.deepEqual(
      (await context.client.inspect(name))?.queue.map(({ share }) => share?.permits ?? 'exclusive'),
      ['exclusive', 1, 1, 1, 1],
    );
    const second = context.client.acquire(name, { wait: '60s' });
    await queued(name, 6);
    await first.release();
    const writer = await writing;
    assert.deepEqual(order, ['writer']);
    await writer.release();
    const readers = await Promise.all(reading);
    assert.deepEqual((await context.client.inspect(name))?.sharing?.holders, 4);
    await release(readers);
    await (await second).release();
    await eventually(async () => (await waitingFor(name)) === 0);
  });

  it('57 lets those behind it in when the one who did not fit gives up', async () => {
    const name = uniqueName('giving up');
    const holder = await context.client.acquire(name, { limit: 3, permits: 2, ttl: '1h' });
    const giveUp = new AbortController();
    const large = context.client.acquire(name, { limit: 3, permits: 2, wait: '60s', signal: giveUp.signal });
    await queued(name, 1);
    const small = context.client.acquire(name, { limit: 3, wait: '60s' });
    await queued(name, 2);
    giveUp.abort(new Error('enough'));
    await assert.rejects(large, /enough/);
    await (await small).release();
    await holder.release();
  });

  it('58 has an expired reader neither block nor renew, and its late release spares the others', async () => {
    const name = uniqueName('expired reader');
    const late = await context.client.acquire(name, { mode: 'shared', ttl: BRIEF, keepAlive: false });
    const other = await context.other.acquire(name, { mode: 'shared' });
    await eventually(async () => (await context.client.inspect(name))?.sharing?.holders === 1);
    await assert.rejects(late.renew(), LeaseLostError);
    await assert.rejects(late.release(), LeaseLostError);
    const { store } = context;
    const [renewal] = await store.shared!.renew([{ lockName: name, grantId: late.grantId, ttl: 60_000 }]);
    assert.equal(renewal?.outcome, 'lost');
    const [ended] = await store.shared!.release([{ lockName: name, grantId: late.grantId }]);
    assert.equal(ended?.outcome, 'lost');
    assert.equal((await context.client.inspect(name))?.sharing?.holders, 1);
    assert.equal(await context.client.tryAcquire(name), null);
    await other.renew('1h');
    await other.release();
    const writer = await context.client.acquire(name);
    const [after] = await store.shared!.release([{ lockName: name, grantId: late.grantId }]);
    assert.equal(after?.outcome, 'lost');
    assert.equal(await stateOf(name), 'held');
    await writer.release();
  });

  it('58 has no old holder come to life again with a later grant', async () => {
    const name = uniqueName('no revival');
    const old = await context.client.acquire(name, { mode: 'shared', ttl: '1h' });
    await context.server.desk.forceRelease({ lockName: name, actor: 'eve', reason: 'it hung' });
    const fresh = await context.other.acquire(name, { limit: 1 });
    await assert.rejects(old.renew(), LeaseLostError);
    assert.deepEqual((await context.client.inspect(name))?.sharing, { holders: 1, permits: 1, limits: [1] });
    await fresh.release();
    assert.equal(await stateOf(name), 'released');
  });

  it('59 takes no second permit for a repeat with the same grantId', async () => {
    const name = uniqueName('repeat');
    const grantId = randomUUID();
    const options = { limit: 2, grantId, workerName: 'ann' };
    const first = await context.client.acquire(name, options);
    const again = await Promise.all(repeat(3, (index) => of(index).acquire(name, options)));
    assert.deepEqual(
      again.map(({ fencingToken }) => fencingToken),
      repeat(3, () => first.fencingToken),
    );
    assert.equal((await context.client.inspect(name))?.sharing?.permits, 1);
    const together = randomUUID();
    const twins = await Promise.all(
      repeat(4, (index) => of(index).acquire(name, { limit: 2, grantId: together, workerName: 'bob' })),
    );
    assert.equal(new Set(twins.map(({ fencingToken }) => fencingToken)).size, 1);
    assert.equal((await context.client.inspect(name))?.sharing?.permits, 2);
    assert.equal(await context.client.tryAcquire(name, { grantId, workerName: 'ann' }), null);
    await first.release();
    await twins[0]!.release();
    assert.equal(await stateOf(name), 'released');
  });

  it('60 downgrades in one step, with a new token, and lets no writer in between', async () => {
    const name = uniqueName('downgrade');
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const { fencingToken, expireTime, grantId } = lease;
    const writing = context.other.acquire(name, { wait: '60s' });
    await queued(name, 1);
    await lease.downgrade({ limit: 4, permits: 2 });
    assert.deepEqual([lease.mode, lease.permits, lease.limit], ['shared', 2, 4]);
    assert.ok(lease.fencingToken > fencingToken);
    assert.equal(lease.expireTime.getTime(), expireTime.getTime());
    assert.deepEqual((await context.client.inspect(name))?.sharing, { holders: 1, permits: 2, limits: [4] });
    await lease.downgrade();
    assert.equal(lease.permits, 2);
    const repeated = await context.server.downgrade({ lockName: name, grantId });
    assert.equal(repeated.outcome === 'downgraded' && repeated.lease.fencingToken, lease.fencingToken);
    await lease.renew();
    await lease.release();
    const writer = await writing;
    assert.ok(writer.fencingToken > lease.fencingToken);
    assert.equal((await context.server.downgrade({ lockName: name, grantId })).outcome, 'lost');
    await writer.release();
  });

  it('60 lets waiting readers in after a downgrade', async () => {
    const name = uniqueName('downgrade for readers');
    const lease = await context.client.acquire(name, { ttl: '1h' });
    const reading = repeat(3, (index) => of(index).acquire(name, { mode: 'shared', wait: '60s' }));
    await queued(name, 3);
    await lease.downgrade();
    const readers = await Promise.all(reading);
    assert.equal((await context.client.inspect(name))?.sharing?.holders, 4);
    await release([lease, ...readers]);
  });

  it('61 force releases one holder, or all', async () => {
    const name = uniqueName('force');
    const leases = await Promise.all(repeat(3, (index) => of(index).acquire(name, { mode: 'shared' })));
    const act = { actor: 'eve', reason: 'it hung' };
    const { desk } = context.server;
    const { fencingToken } = leases[1]!;
    const ended = await desk.forceRelease({ lockName: name, fencingToken, ...act });
    assert.equal(ended?.fencingToken, fencingToken);
    await assert.rejects(leases[1]!.renew(), LeaseLostError);
    await leases[0]!.renew();
    assert.equal((await context.client.inspect(name))?.sharing?.holders, 2);
    await assert.rejects(desk.forceRelease({ lockName: name, fencingToken, ...act }), {
      code: 'LOCK_CHANGED',
    });
    const [all] = await desk.forceReleaseAll({ locks: [{ lockName: name }], ...act });
    assert.equal(all?.outcome === 'forced' && all.others.length, 1);
    await assert.rejects(leases[0]!.renew(), LeaseLostError);
    await assert.rejects(leases[2]!.renew(), LeaseLostError);
    assert.equal(await stateOf(name), 'released');
    const writer = await context.client.acquire(name);
    assert.ok(leases.every((lease) => lease.fencingToken < writer.fencingToken));
    await writer.release();
  });

  it('62 takes sets of mixed modes, all or none, which deadlock in no order', async () => {
    const [one, two, three] = repeat(3, (index) => uniqueName(`mixed ${index}`)) as [string, string, string];
    const held = await context.client.acquireAll([
      { lockName: one, mode: 'shared' },
      two,
      { lockName: three, limit: 2 },
    ]);
    assert.deepEqual(
      held.leases.map(({ mode, limit }) => [mode, limit]),
      [
        ['shared', null],
        ['exclusive', null],
        ['shared', 2],
      ],
    );
    const beside = await context.other.acquireAll(
      [one, three].map((lockName) => ({ lockName, mode: 'shared' as const })),
    );
    assert.equal(await context.other.tryAcquireAll([{ lockName: one, mode: 'shared' }, two]), null);
    assert.equal(await context.other.tryAcquireAll([{ lockName: three, limit: 2 }]), null);
    assert.equal((await context.client.inspect(one))?.sharing?.holders, 2);
    await held.release();
    await beside.release();
    const overlaps = new Map([one, two, three].map((name) => [name, new Overlap()]));
    await Promise.all(
      repeat(40, (index) => {
        const names = [one, two, three].slice(index % 2);
        const wanted = (index % 3 ? names : names.toReversed()).map((lockName, place) =>
          (index + place) % 2 ? lockName : { lockName, limit: 3 },
        );
        return of(index).withLocks(wanted, { wait: '60s' }, async (set) => {
          for (const lease of set.leases) overlaps.get(lease.lockName)!.enter(lease);
          await sleep(1);
          for (const lease of set.leases) overlaps.get(lease.lockName)!.leave(lease);
        });
      }),
    );
    for (const { faults } of overlaps.values()) assert.deepEqual(faults, []);
    for (const name of [one, two, three]) assert.equal(await stateOf(name), 'released');
  });

  it('63 serves all of 256 callers of a semaphore of 5, in their order', async () => {
    const name = uniqueName('semaphore');
    const first = await Promise.all(repeat(5, () => context.client.acquire(name, { limit: 5, ttl: '1h' })));
    const served: Array<Promise<number>> = [];
    for (let index = 0; index < 256; index++) {
      const tokenOf = async ({ fencingToken }: Lease) => fencingToken;
      served.push(context.client.withLock(name, { limit: 5, wait: '60s' }, tokenOf));
      await queued(name, index + 1); // of those on their way together, over HTTP, any may arrive first
    }
    await release(first);
    // By their grants: the answers of those who are served together may arrive in any order, too.
    const tokens = await Promise.all(served);
    assert.deepEqual(
      tokens,
      tokens.toSorted((one, other) => one - other),
    );
    assert.equal(await stateOf(name), 'released');
  });

  it('64 serves a thousand readers of one lock', async () => {
    const name = uniqueName('thousand');
    const readers = await Promise.all(
      repeat(1_000, (index) => of(index).acquire(name, { mode: 'shared', ttl: '1h', wait: '60s' })),
    );
    const info = await context.client.inspect(name);
    assert.equal(info?.sharing?.holders, 1_000);
    assert.equal(info.holders.length, 100);
    assert.equal(new Set(readers.map(({ fencingToken }) => fencingToken)).size, 1_000);
    await release(readers);
    assert.equal(await stateOf(name), 'released');
  });

  it('keeps the permits of a lease with minHold, and no others, until that is over', async () => {
    const name = uniqueName('minHold');
    const short = await context.client.acquire(name, { limit: 2, minHold: 400 });
    const end = short.lockTime.getTime() + 400;
    await short.release();
    const beside = await context.other.acquire(name, { limit: 2 });
    await refusedUntil(end, await context.other.tryAcquire(name, { limit: 2 }));
    assert.equal(await context.other.tryAcquire(name), null);
    await beside.release();
    await refusedUntil(end, await context.client.tryAcquire(name));
    const writer = await context.client.acquire(name, { wait: '30s' });
    assert.ok(writer.lockTime.getTime() - short.lockTime.getTime() >= 400);
    await writer.release();
  });

  it('refuses shares that are none, and stores nothing', async () => {
    const name = uniqueName('bad share');
    for (const [field, options] of [
      ['permits', { permits: 0 }],
      ['permits', { permits: -1 }],
      ['permits', { permits: 1.5 }],
      ['permits', { permits: 3, limit: 2 }],
      ['permits', { permits: 1_000_001 }],
      ['limit', { limit: 0 }],
      ['limit', { limit: 1_000_001 }],
      ['limit', { mode: 'exclusive', limit: 1 }],
      ['permits', { mode: 'exclusive', permits: 1 }],
      ['mode', { mode: 'both' as 'shared' }],
    ] as const)
      await assert.rejects(
        context.client.acquire(name, options),
        (error: { code?: string; message: string }) => {
          assert.equal(error.code, 'INVALID_REQUEST');
          assert.ok(error.message.startsWith(`${field} `), error.message);
          return true;
        },
      );
    await assert.rejects(context.client.acquireAll([{ lockName: name, limit: 0 }]), {
      code: 'INVALID_REQUEST',
      message: /^lockNames\.0\.limit must be a whole number/,
    });
    assert.equal(await context.client.inspect(name), null);
  });

  it('refuses an exclusive lease inside a shared one of the same work, and joins others', async () => {
    const name = uniqueName('reentrant');
    const { client } = context;
    await client.withLock(name, { mode: 'shared' }, async (lease) => {
      for (const upgrade of [
        () => client.withLock(name, { wait: '60s' }, async () => undefined),
        () => client.withLock(name, { wait: '60s', reentrant: true }, async () => undefined),
        () => client.acquire(name, { wait: '60s' }),
        () => client.withLocks([name], { wait: '60s' }, async () => undefined),
      ])
        await assert.rejects(upgrade, { code: 'INVALID_REQUEST', message: /inside a shared lease/ });
      await client.withLock(name, { limit: 3, reentrant: true }, async (inner) => {
        assert.equal(inner, lease);
      });
      await client.withLock(name, { mode: 'shared' }, async (inner) => assert.notEqual(inner, lease));
    });
    await client.withLock(name, async (lease) => {
      await client.withLock(name, { mode: 'shared', reentrant: true }, async (inner) =>
        assert.equal(inner, lease),
      );
    });
  });
}

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AcquireAnswer, LockBusyError, LockStore, PassAnswer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { until } from '../support/patience.js';
import { PATIENCE, WaitingScene } from './scene.js';

const NAME = 'job';

const HERE = randomUUID();
const ELSEWHERE = randomUUID();

let scene: WaitingScene;
let store: LockStore;

beforeEach(async () => {
  scene = await WaitingScene.open(1);
  store = scene.hosts[0]!.app.get<LockStore>(LOCK_STORE);
});

afterEach(() => scene.close());

const request = (workerName: string, ttl = 60_000, ticket: number | null = null) => ({
  lockName: NAME,
  workerName,
  grantId: randomUUID(),
  ttl,
  metadata: null,
  ticket,
});

async function acquire(asked: ReturnType<typeof request>): Promise<AcquireAnswer & { outcome: 'granted' }> {
  const [answer] = await store.acquire([asked]);
  expect(answer).toMatchObject({ outcome: 'granted' });
  return answer as AcquireAnswer & { outcome: 'granted' };
}

async function join(server: string, workerName: string): Promise<number> {
  const waiter = { lockName: NAME, workerName, grantId: randomUUID(), ticket: null };
  return (await store.queue!.join(server, [waiter]))[0]!;
}

async function pass(grantId: string, successor: ReturnType<typeof request>): Promise<PassAnswer> {
  return (await store.queue!.pass(HERE, [{ lockName: NAME, grantId, successor }]))[0]!;
}

describe('passing a lock on', () => {
  it('ends the lease and grants the lock, with a larger token', async () => {
    const { lease } = await acquire(request('ann'));
    const bob = request('bob', 5_000);
    const answer = await pass(lease.grantId, bob);
    expect(answer).toMatchObject({
      outcome: 'passed',
      lease: { workerName: 'bob', grantId: bob.grantId, metadata: null },
    });
    const { lease: passed } = answer as PassAnswer & { outcome: 'passed' };
    expect(passed.fencingToken).toBeGreaterThan(lease.fencingToken);
    expect(passed.lockTime.getTime()).toBeGreaterThanOrEqual(lease.lockTime.getTime());
    expect(passed.expireTime.getTime() - passed.lockTime.getTime()).toBe(5_000);
    // The old lease is over, and a repeat by the new holder is the same lease.
    expect(await store.release([{ lockName: NAME, grantId: lease.grantId }])).toEqual([{ outcome: 'lost' }]);
    expect(await store.acquire([bob])).toMatchObject([
      { outcome: 'granted', repeated: true, lease: { fencingToken: passed.fencingToken } },
    ]);
  });

  it('is lost for a lease that has expired, though nobody took the lock', async () => {
    const { lease } = await acquire(request('ann', 1));
    await until('it has expired', PATIENCE, async () => {
      return (await store.inspect([NAME]))[0]?.state === 'expired';
    });
    expect(await pass(lease.grantId, request('bob'))).toEqual({ outcome: 'lost' });
    expect((await store.inspect([NAME]))[0]).toMatchObject({
      state: 'expired',
      workerName: 'ann',
      fencingToken: lease.fencingToken,
    });
  });

  it('is lost for a lease that is not the live one', async () => {
    const { lease } = await acquire(request('ann'));
    expect(await pass(randomUUID(), request('bob'))).toEqual({ outcome: 'lost' });
    expect((await store.inspect([NAME]))[0]).toMatchObject({
      state: 'held',
      fencingToken: lease.fencingToken,
    });
  });

  it('frees the lock for one on another server who has waited longer', async () => {
    const { lease } = await acquire(request('ann'));
    await join(ELSEWHERE, 'eve');
    const ticket = await join(HERE, 'bob');
    expect(await pass(lease.grantId, request('bob', 60_000, ticket))).toMatchObject({
      outcome: 'released',
      next: { server: ELSEWHERE },
    });
    expect((await store.inspect([NAME]))[0]).toMatchObject({ state: 'released', workerName: null });
  });

  it('goes before one on another server who has waited for less', async () => {
    const { lease } = await acquire(request('ann'));
    const ticket = await join(HERE, 'bob');
    await join(ELSEWHERE, 'eve');
    expect(await pass(lease.grantId, request('bob', 60_000, ticket))).toMatchObject({ outcome: 'passed' });
  });
});

describe('a lock that came free', () => {
  /** On a slow machine a turn may be over too soon to be seen; not time and again. */
  const ROUNDS = 10;

  it('is kept for the first in its queue for a moment, and then for nobody', async () => {
    const { client } = scene.hosts[0]!;
    const holders: unknown[] = [];
    for (let round = 0; round < ROUNDS && holders.length === 0; round++) {
      const lease = await client.acquire(NAME, { wait: '60s', ttl: '1h' });
      await join(ELSEWHERE, 'dead');
      await lease.release();
      await client.acquire(NAME).then(
        (barged) => barged.release(),
        (error: LockBusyError) => holders.push(error.holder.workerName),
      );
    }
    expect(holders).toEqual(['dead']);
    await until('it is for anybody', PATIENCE, async () => (await client.tryAcquire(NAME)) !== null);
  });

  it('is not kept for those who have not been heard of', async () => {
    const { client } = scene.hosts[0]!;
    const lease = await client.acquire(NAME, { ttl: '1h' });
    await join(ELSEWHERE, 'dead');
    await scene.query('UPDATE dblock_waiter SET alive_until = clock_timestamp()');
    await lease.release();
    expect(await client.tryAcquire(NAME)).not.toBeNull();
    expect((await store.inspect([NAME]))[0]).toMatchObject({ waiting: 0, queue: [] });
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithRedis } from '../../../../test/support/redis-server.js';
import { monotonicNow } from '../lease/clock.js';
import { MAX_TTL } from '../lease/duration.js';
import type { AcquireRequest } from '../lease/requests.js';
import type { LeaseRecord } from '../store/lock-store.js';
import { readEntry, writeEntry } from './entry.js';
import type { RedisClient } from './redis-client.js';
import { RedisConnection } from './redis-connection.js';
import { RedisGate } from './redis-gate.js';

Logger.overrideLogger(false);

const LOCK = 'job: nächtlich 🔒';

function request(changes: Partial<AcquireRequest> = {}): AcquireRequest {
  return { lockName: LOCK, workerName: 'w', grantId: randomUUID(), ttl: 30_000, metadata: null, ...changes };
}

function leaseOf({ lockName, workerName, grantId, ttl }: AcquireRequest, fencingToken: number): LeaseRecord {
  const now = new Date();
  return {
    lockName,
    workerName,
    grantId,
    fencingToken,
    lockTime: now,
    expireTime: new Date(now.getTime() + ttl),
    metadata: null,
    serverTime: now,
    timeLeft: ttl,
  };
}

describeWithRedis('the gate', (server) => {
  let redis: Redis;
  let key: string;
  let gate: RedisGate;

  beforeAll(async () => {
    redis = new Redis(server.url);
    await redis.ping();
  });

  afterAll(() => redis.disconnect());

  beforeEach(async () => {
    const prefix = `test:${randomUUID()}:`;
    key = prefix + LOCK;
    gate = new RedisGate(new RedisConnection({ client: redis, prefix, timeout: 5_000 }));
    await gate.check();
  });

  afterEach(async () => {
    gate.close();
    await redis.del(key, ...(await redis.keys(`${key.slice(0, -LOCK.length)}*`)));
  });

  const entry = async () => readEntry(await redis.get(key));
  const claim = async (claimed: AcquireRequest) => (await gate.claim([claimed]))[0];
  const tell = (...news: Parameters<RedisGate['tell']>[0]) => gate.tell(news);

  it('is claimed by the first, of whom the second hears', async () => {
    const [first, second] = [request({ workerName: 'first' }), request()];
    expect(await claim(first)).toBeUndefined();
    const rival = await claim(second);
    expect(rival!.entry).toEqual({
      grantId: first.grantId,
      token: 0,
      workerName: 'first',
      lockTime: null,
      expireTime: null,
    });
    expect(rival!.timeLeft).toBeLessThanOrEqual(5_000);
    expect(await claim(first)).toBeUndefined();
    expect((await entry())!.grantId).toBe(first.grantId);
  });

  it('keeps a claim no longer than its lease would last, nor than a statement of the database', async () => {
    await claim(request({ ttl: 2_000 }));
    expect(await redis.pttl(key)).toBeLessThanOrEqual(2_000);
    await redis.del(key);
    await claim(request({ ttl: MAX_TTL }));
    expect(await redis.pttl(key)).toBeLessThanOrEqual(5_000);
  });

  it('answers a batch name by name, in its order', async () => {
    const names = ['a', 'b', 'c'];
    await tell(gate.held(leaseOf(request({ lockName: 'b', workerName: 'holder' }), 1), monotonicNow()));
    const rivals = await gate.claim(names.map((lockName) => request({ lockName })));
    expect(rivals.map((rival) => rival?.entry.workerName)).toEqual([undefined, 'holder', undefined]);
  });

  it('tells the holder, and its end by the clock of the database', async () => {
    const lease = leaseOf(request({ workerName: 'holder' }), 7);
    await tell(gate.held(lease, monotonicNow()));
    const { grantId, workerName, lockTime, expireTime } = lease;
    expect((await claim(request()))!.entry).toEqual({ grantId, token: 7, workerName, lockTime, expireTime });
  });

  it('counts what a lease has left from the moment when the database was asked', async () => {
    await tell(gate.held(leaseOf(request({ ttl: 30_000 }), 1), monotonicNow() - 10_000));
    expect(await redis.pttl(key)).toBeLessThanOrEqual(30_000 - 10_000 - 300);
    expect(await redis.pttl(key)).toBeGreaterThan(0);
  });

  it('keeps no entry of a lease that is over, nor the claim that it came from', async () => {
    const late = request({ ttl: 1_000 });
    await claim(late);
    await tell(gate.held(leaseOf(late, 1), monotonicNow() - 1_000));
    expect(await entry()).toBeUndefined();
  });

  it('never lets news that arrives late outlive its lease', async () => {
    const lease = leaseOf(request({ ttl: 10_000 }), 1);
    const asked = monotonicNow();
    const news = gate.held(lease, asked);
    await sleep(300);
    await tell(news);
    const end = asked + lease.timeLeft;
    const looked = monotonicNow();
    expect(await redis.pttl(key)).toBeLessThanOrEqual(end - looked + 10);

    const [short, over] = [request({ ttl: 100 }), request({ ttl: 100 })];
    const tooLate = [short, over].map((one, token) => gate.held(leaseOf(one, 10 + token), monotonicNow()));
    await sleep(150);
    await redis.del(key);
    await tell(...tooLate);
    expect(await entry()).toBeUndefined();
  });

  it('writes nothing before it knows the clock of Redis', async () => {
    const stranger = new RedisGate(
      new RedisConnection({ client: redis, prefix: key.slice(0, -LOCK.length), timeout: 5_000 }),
    );
    await stranger.tell([stranger.held(leaseOf(request(), 1), monotonicNow())]);
    expect(await entry()).toBeUndefined();
    await stranger.claim([request()]);
    expect(await entry()).toBeDefined();
    stranger.close();
  });

  it.each([
    ['ahead', 3_600_000],
    ['behind', -3_600_000],
  ])('keeps no entry too long when the clock that it last heard is %s', async (_, difference) => {
    const client: RedisClient = {
      status: 'ready',
      isCluster: true,
      evalsha: async (...command) => {
        const [now, ...rest] = (await redis.evalsha(...command)) as [number, ...unknown[]];
        return [now + difference, ...rest];
      },
      eval: (...command) => redis.eval(...command),
    };
    const elsewhere = new RedisGate(
      new RedisConnection({ client, prefix: key.slice(0, -LOCK.length), timeout: 5_000 }),
    );
    await elsewhere.check();
    await elsewhere.tell([elsewhere.held(leaseOf(request({ ttl: 10_000 }), 1), monotonicNow() - 5_000)]);
    expect(await redis.pttl(key)).toBeLessThanOrEqual(5_000);
    elsewhere.close();
  });

  it('lets no news of an older lease replace that of a newer one', async () => {
    const [older, newer] = [leaseOf(request(), 1), leaseOf(request(), 2)];
    await tell(gate.held(newer, monotonicNow()));
    await tell(gate.held(older, monotonicNow()));
    expect((await entry())!.grantId).toBe(newer.grantId);
  });

  it('follows a renewal, and forgets it when the lease has been released meanwhile', async () => {
    const lease = leaseOf(request({ ttl: 10_000 }), 1);
    await tell(gate.held(lease, monotonicNow()));
    const renewed = { ...lease, timeLeft: 60_000, expireTime: new Date(Date.now() + 60_000) };
    await tell(gate.renewed(renewed, monotonicNow()));
    expect(await redis.pttl(key)).toBeGreaterThan(10_000);
    expect((await entry())!.expireTime).toEqual(renewed.expireTime);
    await tell(gate.ended(LOCK, lease.grantId), gate.renewed(renewed, monotonicNow()));
    expect(await entry()).toBeUndefined();
  });

  it('puts the holder in the place of a claim that was refused, but of nothing else', async () => {
    const [refused, other] = [request(), request()];
    const holder = leaseOf(request({ workerName: 'holder', ttl: 20_000 }), 7);
    await claim(refused);
    await tell(gate.refused(other, holder, monotonicNow()));
    expect((await entry())!.grantId).toBe(refused.grantId);
    await tell(gate.refused(refused, holder, monotonicNow()));
    expect(await entry()).toMatchObject({ grantId: holder.grantId, token: 0, workerName: 'holder' });
    expect(await redis.pttl(key)).toBeLessThanOrEqual(20_000);
    await redis.del(key);
    await tell(gate.refused(refused, holder, monotonicNow()));
    expect(await entry()).toBeUndefined();
  });

  it('ends a claim that was refused because of a lease that is as good as over', async () => {
    const refused = request();
    await claim(refused);
    await tell(gate.refused(refused, leaseOf(request({ ttl: 2 }), 7), monotonicNow()));
    expect(await entry()).toBeUndefined();
  });

  it('withdraws a claim, but neither somebody else’s nor the lease that has come of it', async () => {
    const mine = request();
    await claim(mine);
    await tell(gate.withdrawn(request()));
    expect(await entry()).toBeDefined();
    await tell(gate.withdrawn(mine));
    expect(await entry()).toBeUndefined();
    await tell(gate.held(leaseOf(mine, 1), monotonicNow()), gate.withdrawn(mine));
    expect((await entry())!.token).toBe(1);
  });

  it('frees the lock of a lease that has ended, but never its successor’s', async () => {
    const [ended, successor] = [leaseOf(request(), 1), leaseOf(request(), 2)];
    await tell(gate.held(ended, monotonicNow()), gate.ended(LOCK, ended.grantId));
    expect(await entry()).toBeUndefined();
    await tell(gate.held(successor, monotonicNow()), gate.ended(LOCK, ended.grantId));
    expect((await entry())!.grantId).toBe(successor.grantId);
  });

  it('ends hearsay with a lease: a claimant that was refused may name the holder when it has just gone', async () => {
    const holder = leaseOf(request(), 1);
    const refused = request();
    await claim(refused);
    await tell(gate.ended(LOCK, holder.grantId), gate.refused(refused, holder, monotonicNow()));
    expect(await entry()).toBeUndefined();
  });

  it('removes what is untrue, unless it has changed', async () => {
    const lease = leaseOf(request(), 1);
    await tell(gate.held(lease, monotonicNow()));
    await tell(gate.untrue(LOCK, { grantId: lease.grantId, token: 0 }));
    await tell(gate.untrue(LOCK, { grantId: randomUUID(), token: 1 }));
    expect(await entry()).toBeDefined();
    await tell(gate.untrue(LOCK, { grantId: lease.grantId, token: 1 }));
    expect(await entry()).toBeUndefined();
  });

  const lie = writeEntry({
    grantId: randomUUID(),
    token: Number.MAX_SAFE_INTEGER,
    workerName: 'liar',
    lockTime: new Date(),
    expireTime: new Date(),
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a list', () => redis.lpush(key, 'x')],
    ['a hash', () => redis.hset(key, 'x', 'y')],
    ['garbage', () => redis.set(key, 'garbage', 'PX', 60_000)],
    ['bytes that are no text', () => redis.set(key, Buffer.from([0xff, 0x00, 0xfe]), 'PX', 60_000)],
    ['an entry that lives for ever', () => redis.set(key, lie)],
    ['an entry that outlives all leases', () => redis.set(key, lie, 'PX', MAX_TTL + 60_000)],
  ])('refuses nobody because of %s, and overwrites it with the next lease', async (_, poison) => {
    await poison();
    const asked = request();
    expect(await claim(asked)).toBeUndefined();
    await tell(gate.withdrawn(asked), gate.ended(LOCK, asked.grantId));
    const lease = leaseOf(asked, 1);
    await tell(gate.held(lease, monotonicNow()));
    expect((await entry())!.grantId).toBe(lease.grantId);
  });
});

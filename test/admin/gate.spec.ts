import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { LockStore } from 'nestjs-db-lock';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { until } from '../support/patience.js';
import { describeWithRedisServer, startRedis, type RedisServer } from '../support/redis-server.js';
import { AdminScene, PATIENCE } from './scene.js';

describeWithRedisServer('what operators do to locks with a Redis gate before them', () => {
  let redis: RedisServer;
  let scene: AdminScene;
  let beside: AdminScene;

  beforeAll(async () => {
    redis = await startRedis();
    const features = [{ redis: { url: redis.url, timeout: '5s' } }];
    scene = await AdminScene.open({ features });
    beside = await scene.openBeside({ features });
  });

  afterAll(async () => {
    await beside.service.close();
    await scene.service.close();
    await redis.stop();
  });

  /** Whether an acquire is refused, and whether the database was asked. */
  async function tries(lockName: string) {
    const { inner } = beside.service.app.get<{ inner: LockStore }>(LOCK_STORE);
    const asked = jest.spyOn(inner, 'acquire');
    try {
      const { outcome } = await beside.acquire(lockName);
      return { outcome, askedDatabase: asked.mock.calls.length > 0 };
    } finally {
      asked.mockRestore();
    }
  }

  /** The end of a lease, for the database and for the gate, as if so many ms had passed. */
  async function bringNearer(lockName: string, milliseconds: number): Promise<void> {
    await scene.service.query(
      `UPDATE dblock_lock SET expire_time = expire_time - $2 * interval '1 ms' WHERE lock_name = $1`,
      [lockName, milliseconds],
    );
    const client = new Redis(redis.url);
    const key = `db-lock:dblock:${lockName}`;
    await client.pexpire(key, (await client.pttl(key)) - milliseconds);
    client.disconnect();
  }

  const REFUSED_BY_GATE = { outcome: 'busy', askedDatabase: false };

  it('is known to the gate at once: a lock that they hold is refused without the database', async () => {
    await scene.held({ lockName: 'held' });
    expect(await tries('held')).toEqual(REFUSED_BY_GATE);
    await scene.forceRelease('held');
    expect(await tries('held')).toEqual({ outcome: 'granted', askedDatabase: true });
  });

  it('frees a lock whose lease they cut short in time, though the gate had known a longer one', async () => {
    const { fencingToken } = await beside.lease('shortened', { ttl: '1h' });
    expect(await tries('shortened')).toEqual(REFUSED_BY_GATE);
    await scene.edit('shortened', { fencingToken, ttl: 300 });
    expect((await tries('shortened')).askedDatabase).toBe(true);
    await until('somebody else has it', PATIENCE, async () => {
      await beside.acquire('shortened');
      return (await scene.inspect('shortened')).fencingToken > fencingToken;
    });
  });

  it('keeps a lock busy whose lease they have extended, though the gate had known a shorter one', async () => {
    const { fencingToken } = await beside.lease('extended', { ttl: '10s' });
    await scene.edit('extended', { fencingToken, ttl: '1h' });
    await bringNearer('extended', 10_000);
    expect((await beside.acquire('extended')).outcome).toBe('busy');
    expect(await tries('extended')).toEqual(REFUSED_BY_GATE);
  });

  it('goes on when the gate does not answer', async () => {
    await using hasty = await scene.openBeside({ features: [{ redis: { url: redis.url } }] });
    await redis.pause();
    try {
      const { fencingToken } = await hasty.held({ lockName: 'without a gate' });
      expect(await hasty.edit('without a gate', { fencingToken, ttl: '2h' })).toMatchObject({ status: 200 });
      expect(await hasty.forceRelease('without a gate')).toMatchObject({ status: 200 });
    } finally {
      redis.resume();
    }
  });
});

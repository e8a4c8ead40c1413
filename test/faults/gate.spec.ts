import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Logger, type INestApplication } from '@nestjs/common';
import { Redis } from 'ioredis';
import { LockServer, type LockStore } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readEntry, writeEntry } from '../../libs/db-lock/src/gate/entry.js';
import { openGate } from '../../libs/db-lock/src/gate/gate.js';
import { redisOptionsSchema, type RedisOptions } from '../../libs/db-lock/src/gate/options.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { describeWithRedisServer, startRedis, type RedisServer } from '../support/redis-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Milliseconds that a busy machine may take for what comes by itself. */
const PATIENCE = 60_000;

/** Redis may take as long for an answer, where a test insists on one. A busy machine stops it for longer than the default. */
const PATIENT = { timeout: '5s' } as const;

const SILENT = ['the Redis gate does not answer'];

/** The rules over a gate, as one process has them. */
interface Process {
  server: LockServer;
  store: LockStore;
  /** How many acquires have reached the database. */
  readonly asked: number;
}

describeWithRedisServer('locks with a Redis gate before PostgreSQL', () => {
  let database: TestDatabase;
  let app: INestApplication;
  let redis: RedisServer;
  let inspector: Redis;
  let one: Process;
  let other: Process;
  let name: string;
  /** Of this test. */
  const opened: Process[] = [];

  /** The application's store, which closes with the application only. */
  async function open(options: Pick<RedisOptions, 'timeout'> = {}): Promise<Process> {
    const inner = app.get<LockStore>(LOCK_STORE);
    let asked = 0;
    const watched = new Proxy(inner, {
      get(target, property) {
        if (property === 'close') return async () => {};
        if (property === 'acquire') asked++;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const store = await openGate(watched, redisOptionsSchema.parse({ url: redis.url, ...options }), 'dblock');
    const opening = {
      server: new LockServer(store),
      store,
      get asked() {
        return asked;
      },
    };
    opened.push(opening);
    return opening;
  }

  const openTwo = (options?: Pick<RedisOptions, 'timeout'>) => Promise.all([open(options), open(options)]);

  const allAnswer = () =>
    until('the gates answer', PATIENCE, () => opened.every(({ server }) => server.degraded.length === 0));

  beforeAll(async () => {
    Logger.overrideLogger(false);
    redis = await startRedis();
    database = await createTestDatabase();
    app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
    inspector = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: 0 });
    inspector.on('error', () => {});
  });

  afterAll(async () => {
    inspector.disconnect();
    await app.close();
    await database.drop();
    await redis.stop();
  });

  beforeEach(async () => {
    name = `lock ${randomUUID()}`;
    [one, other] = await openTwo(PATIENT);
    await allAnswer();
  });

  /** Whatever a test did to Redis, its gates find it well again. */
  afterEach(async () => {
    await allAnswer();
    for (const { server, store } of opened.splice(0)) {
      server.stopWaiting();
      await store.close();
    }
  });

  type Options = Partial<Parameters<LockServer['acquire']>[0]>;

  const acquire = ({ server }: Process, options: Options = {}) =>
    server.acquire({ lockName: name, workerName: 'w', grantId: randomUUID(), ttl: '60s', ...options });

  async function grant(process: Process, options?: Options) {
    const result = await acquire(process, options);
    if (result.outcome !== 'granted') throw new Error(`It is busy: ${JSON.stringify(result.holder)}`);
    return result.lease;
  }

  const release = ({ server }: Process, { grantId }: { grantId: string }) =>
    server.release({ lockName: name, grantId });

  const isGranted = async (process: Process, lockName = name) =>
    (await acquire(process, { lockName })).outcome === 'granted';

  /** Whether the gate alone refuses the lock, which it only can while it answers. */
  async function refusesAlone(process: Process, lockName = name): Promise<boolean> {
    const before = process.asked;
    expect((await acquire(process, { lockName })).outcome).toBe('busy');
    return process.asked === before;
  }

  const key = (lockName = name) => `db-lock:dblock:${lockName}`;

  /** A well-formed lie. */
  const put = (key: string, token: number, milliseconds: number) =>
    inspector.set(
      key,
      writeEntry({ grantId: randomUUID(), token, workerName: 'liar', lockTime: null, expireTime: null }),
      'PX',
      milliseconds,
    );

  it('are refused without a statement, in every process, until they are released', async () => {
    for (let i = 0; i < 10; i++) {
      const [holder, rival] = i % 2 ? [one, other] : [other, one];
      const lease = await grant(holder, { workerName: 'holder' });
      expect(await refusesAlone(rival)).toBe(true);
      expect(await acquire(rival)).toMatchObject({
        holder: { workerName: 'holder', grantId: lease.grantId, expireTime: lease.expireTime },
      });
      await release(holder, lease);
    }
  });

  it('are not refused any longer than the lease lasts', async () => {
    const lease = await grant(one, { ttl: '300ms' });
    const left = await inspector.pttl(key());
    const [record] = await app.get<LockStore>(LOCK_STORE).inspect([name]);
    expect(left).toBeLessThanOrEqual(300);
    expect(record!.fencingToken).toBe(lease.fencingToken);
    await until('the lease ends', PATIENCE, () => isGranted(other));
  });

  it('go to those who wait, in whatever process, while newcomers are refused', async () => {
    const lease = await grant(one);
    const waiting = [other, one, other].map(async (process) =>
      release(process, await grant(process, { wait: '20s' })),
    );
    // Those who wait ask the database themselves, from time to time.
    await until('the gate alone refuses', PATIENCE, () => refusesAlone(other));
    await release(one, lease);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ outcome: 'released' })));
    await until('it is kept for nobody', PATIENCE, () => isGranted(other));
  });

  it.each<[string, () => Promise<void>]>([
    ['killed', () => redis.kill()],
    ['stopped in the middle', () => redis.pause()],
  ])(
    'go on while Redis is %s, which is told, and are refused by it again when it is back',
    async (state, fault) => {
      [one, other] = await openTwo();
      const held = await grant(one);
      await fault();
      try {
        await until('it is noticed', PATIENCE, async () => {
          expect((await acquire(other)).outcome).toBe('busy');
          await sleep(50);
          return other.server.degraded.length > 0;
        });
        expect(other.server.degraded).toEqual(SILENT);
        await release(one, held);
        for (let i = 0; i < 10; i++) await release(other, await grant(other));
      } finally {
        if (state === 'killed') await redis.restart();
        else redis.resume();
      }
      await until('it is back', PATIENCE, () => other.server.degraded.length === 0);
      await until('nothing of before is in the way', PATIENCE, () => isGranted(other));
      await until('it refuses alone', PATIENCE, () => refusesAlone(other));
    },
  );

  it('are not kept by what a stopped Redis was told, and does later', async () => {
    [one, other] = await openTwo();
    await redis.pause();
    const lease = await grant(one, { ttl: '800ms' });
    const lateKey = key();
    await sleep(850);
    redis.resume();
    name = `lock ${randomUUID()}`;
    await grant(one);
    await until('it has done all that it was told', PATIENCE, () => refusesAlone(one));
    expect(readEntry(await inspector.get(lateKey))?.grantId).not.toBe(lease.grantId);
  });

  it('go on when Redis has forgotten all keys and scripts', async () => {
    const lease = await grant(one);
    await redis.flush();
    expect(await refusesAlone(other)).toBe(false);
    expect(await refusesAlone(one)).toBe(true);
    await release(one, lease);
    await release(other, await grant(other));
    expect(other.server.degraded).toEqual([]);
  });

  it('work from the start when Redis does not, and are refused by it when it has come', async () => {
    await redis.kill();
    const early = await open(PATIENT);
    const lease = await grant(early);
    expect((await acquire(early)).outcome).toBe('busy');
    await until('it is told', PATIENCE, () => early.server.degraded.length > 0);
    expect(early.server.degraded).toEqual(SILENT);
    await redis.restart();
    await until('it has come', PATIENCE, () => early.server.degraded.length === 0);
    await acquire(early);
    expect(await refusesAlone(early)).toBe(true);
    await release(early, lease);
    await grant(early);
  });

  it('come free in a moment, whatever their keys tell', async () => {
    const poisons: Record<string, (key: string) => Promise<unknown>> = {
      'a holder that there is not': (key) => put(key, Number.MAX_SAFE_INTEGER, 3_600_000),
      'a claim that nobody makes': (key) => put(key, 0, 3_600_000),
      'a holder for ever': (key) => put(key, 1, 3_600_000).then(() => inspector.persist(key)),
      'something else': (key) => inspector.rpush(key, 'x'),
      garbage: (key) => inspector.set(key, 'x'),
    };
    await Promise.all(
      Object.entries(poisons).map(async ([what, poison]) => {
        await poison(key(what));
        await until(`the key is found out that tells of ${what}`, PATIENCE, () => isGranted(one, what));
      }),
    );
    // One by one: what is asked for one lock must not count for another.
    for (const what of Object.keys(poisons))
      await until(`the gate alone refuses ${what}`, PATIENCE, () => refusesAlone(other, what));
  });

  it('come free at once for who waits, whatever a key says', async () => {
    await put(key(), 1, 3_600_000);
    await grant(one, { wait: '20s' });
  });

  it('come free in a moment when they were released behind the gate’s back', async () => {
    const lease = await grant(one);
    await app.get(LockServer).desk.forceRelease({ lockName: name, actor: 'admin', reason: 'stuck' });
    await until('the key is found out', PATIENCE, () => isGranted(other));
    expect(await release(one, lease)).toEqual({ outcome: 'lost' });
    expect(await refusesAlone(one)).toBe(true);
  });

  it('have one holder at a time, and no errors, whatever happens to Redis', async () => {
    [one, other] = await openTwo();
    let [isOver, holders, grants, token] = [false, 0, 0, 0];
    const work = async (process: Process) => {
      while (!isOver) {
        const result = await acquire(process, { wait: grants % 3 === 0 ? '1s' : '0s' });
        if (result.outcome === 'busy') {
          await sleep(1);
          continue;
        }
        expect(++holders).toBe(1);
        expect(result.lease.fencingToken).toBeGreaterThan(token);
        token = result.lease.fencingToken;
        grants++;
        await sleep(1);
        holders--;
        expect(await release(process, result.lease)).toEqual({ outcome: 'released' });
      }
    };
    const faults = async () => {
      await sleep(200);
      await redis.flush();
      await sleep(200);
      await redis.pause();
      await sleep(500);
      redis.resume();
      await sleep(200);
      await redis.restart();
      await sleep(200);
      await put(key(), Number.MAX_SAFE_INTEGER, 3_600_000).catch(() => {});
      await sleep(500);
    };
    const ends = await Promise.allSettled([
      ...[one, other, one, other].map((process) => work(process)),
      faults().finally(() => (isOver = true)),
    ]);
    expect(ends.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(grants).toBeGreaterThan(10);
  });
});

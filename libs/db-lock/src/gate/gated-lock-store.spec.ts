import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../../test/support/patience.js';
import { describeWithRedis } from '../../../../test/support/redis-server.js';
import type { AcquireRequest, ReleaseRequest, RenewRequest } from '../lease/requests.js';
import type {
  AcquireAnswer,
  HolderRecord,
  InspectedLock,
  LeaseRecord,
  LockStore,
} from '../store/lock-store.js';
import type { ForceReleaseRequest, LockDesk } from '../store/lock-desk.js';
import type { HistoryStore } from '../store/history-store.js';
import type { PassAnswer, PassRequest, WaitQueue } from '../store/wait-queue.js';
import { readEntry, writeEntry } from './entry.js';
import { openGate } from './gate.js';
import { redisOptionsSchema } from './options.js';

Logger.overrideLogger(false);

const NOTHING = { items: [], serverTime: new Date() };

const NONE = { held: 0, expired: 0, released: 0, contended: 0, waiting: 0 };

/** A store in memory, which counts what it is asked, and fails when a test says so. */
class MemoryStore implements LockStore {
  /** What was asked: the method and the names. */
  readonly asked: string[] = [];
  readonly leases = new Map<string, LeaseRecord>();
  failure?: Error;
  /** What an acquire waits for, from when it is asked. */
  delay: () => Promise<unknown> = () => Promise.resolve();
  degraded?: readonly string[];
  isClosed = false;
  #token = 0;

  async acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    this.#note('acquire', requests);
    await this.delay();
    return requests.map((request): AcquireAnswer => {
      if (this.failure) return { outcome: 'error', error: this.failure };
      const holder = this.#live(request.lockName);
      if (!holder) return { outcome: 'granted', lease: this.grant(request), repeated: false };
      if (holder.grantId === request.grantId) return { outcome: 'granted', lease: holder, repeated: true };
      const { fencingToken: _, ...told } = holder;
      return { outcome: 'busy', holder: told };
    });
  }

  async acquireSet(requests: readonly AcquireRequest[]) {
    this.#note('acquireSet', requests);
    return {
      outcome: 'granted' as const,
      leases: requests.map((request) => this.grant(request)),
      repeated: false,
      expired: [],
    };
  }

  async renew(requests: readonly RenewRequest[]) {
    this.#note('renew', requests);
    return requests.map(({ lockName, grantId, ttl }) => {
      const lease = this.#live(lockName);
      if (lease?.grantId !== grantId) return { outcome: 'lost' as const };
      return { outcome: 'renewed' as const, lease: this.#keep({ ...lease, ...times(ttl) }) };
    });
  }

  async release(requests: readonly ReleaseRequest[]) {
    this.#note('release', requests);
    return requests.map((request) => {
      if (this.failure) return { outcome: 'error' as const, error: this.failure };
      const lease = this.#live(request.lockName);
      const isTheirs =
        'grantId' in request ? lease?.grantId === request.grantId : lease?.workerName === request.workerName;
      if (!lease || !isTheirs) return { outcome: 'lost' as const };
      this.leases.delete(request.lockName);
      return { outcome: 'released' as const, grantId: lease.grantId, next: null };
    });
  }

  readonly desk: LockDesk = {
    forceRelease: async (requests: readonly ForceReleaseRequest[]) => {
      this.#note('forceRelease', requests);
      return requests.map(({ lockName }) => {
        const holder = this.#live(lockName);
        this.leases.delete(lockName);
        return holder
          ? { outcome: 'forced' as const, holders: [holder] as const, next: null }
          : { outcome: 'free' as const };
      });
    },
    hold: async (request) =>
      this.#live(request.lockName) ? { outcome: 'busy' } : { outcome: 'held', lease: this.grant(request) },
    edit: async ({ lockName, ttl = 0 }) => {
      const lease = this.#live(lockName);
      if (!lease) return { outcome: 'changed' };
      return { outcome: 'edited', lease: this.#keep({ ...lease, ...times(ttl) }), next: null };
    },
    deleteReleased: async (lockNames) => [...lockNames],
    clearExpired: async () => 1,
    page: async () => NOTHING,
    count: async () => 0,
    async *listAll() {},
    groups: async () => [],
    countByState: async () => ({ ...NONE, held: this.leases.size }),
  };

  readonly history: HistoryStore = {
    of: async () => [],
    record: async () => {},
    count: async () => {},
    statistics: () => Promise.reject(new Error('Nothing is counted.')),
    changes: () => Promise.reject(new Error('Nothing is recorded.')),
    now: async () => new Date(),
    trim: async () => 0,
  };

  async inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>> {
    this.asked.push(`inspect ${lockNames.join()}`);
    return lockNames.map((lockName) => {
      const lease = this.#live(lockName);
      return lease ? { ...lease, state: 'held' as const, waiting: 0, holders: [lease], queue: [] } : null;
    });
  }

  readonly queue: WaitQueue = {
    join: async () => [1],
    leave: async () => {},
    stay: async () => [],
    wake: async () => {},
    listen: () => {},
    pass: async (_, requests: readonly PassRequest[]) =>
      requests.map(({ lockName, grantId, successor }): PassAnswer => {
        if (this.#live(lockName)?.grantId !== grantId) return { outcome: 'lost' };
        return { outcome: 'passed', lease: this.grant(successor) };
      }),
  };

  removeIdle = async () => 2;
  ping = async () => {};
  close = async () => void (this.isClosed = true);

  grant({ lockName, workerName, grantId, ttl }: AcquireRequest): LeaseRecord {
    return this.#keep({
      lockName,
      workerName,
      grantId,
      fencingToken: ++this.#token,
      lockTime: new Date(),
      metadata: null,
      ...times(ttl),
    });
  }

  #keep(lease: LeaseRecord): LeaseRecord {
    this.leases.set(lease.lockName, lease);
    return lease;
  }

  #live(lockName: string): LeaseRecord | undefined {
    const lease = this.leases.get(lockName);
    const timeLeft = (lease?.expireTime.getTime() ?? 0) - Date.now();
    return timeLeft > 0 ? { ...lease!, timeLeft } : undefined;
  }

  #note(method: string, requests: ReadonlyArray<{ lockName: string }>): void {
    this.asked.push(`${method} ${requests.map(({ lockName }) => lockName).join()}`);
  }
}

function times(ttl: number) {
  const serverTime = new Date();
  return { serverTime, expireTime: new Date(serverTime.getTime() + ttl), timeLeft: ttl };
}

function request(lockName = 'a', changes: Partial<AcquireRequest> = {}): AcquireRequest {
  return { lockName, workerName: 'w', grantId: randomUUID(), ttl: 30_000, metadata: null, ...changes };
}

describeWithRedis('a store with a gate', (server) => {
  let redis: Redis;
  let prefix: string;
  let inner: MemoryStore;
  let store: LockStore;

  /** Another process on the same database and Redis. */
  const open = (over: LockStore = inner) =>
    openGate(over, redisOptionsSchema.parse({ client: redis, prefix, timeout: '5s' }), 'dblock');

  beforeAll(async () => {
    redis = new Redis(server.url);
    await redis.ping();
  });

  afterAll(() => redis.disconnect());

  beforeEach(async () => {
    prefix = `test:${randomUUID()}:`;
    inner = new MemoryStore();
    store = await open();
  });

  afterEach(async () => {
    await store.close();
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
  });

  const entry = async (lockName = 'a') => readEntry(await redis.get(prefix + lockName));
  const acquire = async (asked: AcquireRequest, by = store) => (await by.acquire([asked]))[0]!;
  const acquires = () => inner.asked.filter((asked) => asked.startsWith('acquire')).length;

  async function grant(asked = request()): Promise<LeaseRecord> {
    const answer = await acquire(asked);
    if (answer.outcome !== 'granted') throw new Error(`It is ${answer.outcome}.`);
    return answer.lease;
  }

  async function refusal(asked = request(), by = store): Promise<HolderRecord> {
    const answer = await acquire(asked, by);
    if (answer.outcome !== 'busy') throw new Error(`It is ${answer.outcome}.`);
    return answer.holder;
  }

  it('refuses a lock that is held without asking the database, and tells by whom and until when', async () => {
    const lease = await grant(request('a', { workerName: 'holder' }));
    const other = await open();
    const holder = await refusal(request(), other);
    await other.close();
    expect(acquires()).toBe(1);
    const { lockName, workerName, grantId, lockTime, expireTime } = lease;
    expect(holder).toEqual({
      lockName,
      workerName,
      grantId,
      lockTime,
      expireTime,
      timeLeft: expect.any(Number),
    });
    expect(holder.timeLeft).toBeGreaterThan(0);
    expect(holder.timeLeft).toBeLessThanOrEqual(30_000);
  });

  it('refuses a lock that is claimed: the first to come asks the database, those after it do not', async () => {
    let answer!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    inner.delay = () => answered;
    const first = acquire(request('a', { workerName: 'first' }));
    const refused = await refusal();
    expect(refused).toMatchObject({ workerName: 'first', lockTime: null, expireTime: null });
    answer();
    expect((await first).outcome).toBe('granted');
    expect(acquires()).toBe(1);
  });

  it('never grants by itself: whatever the key says, only the database does', async () => {
    const lie = request('a', { workerName: 'liar' });
    await redis.set(
      `${prefix}a`,
      writeEntry({ ...lie, token: 1, lockTime: null, expireTime: null }),
      'PX',
      60_000,
    );
    inner.grant(request('a', { workerName: 'holder' }));
    expect((await acquire(lie)).outcome).toBe('busy');
    expect(acquires()).toBe(1);
  });

  it('answers a mixed batch at each index, and asks the database once, for the rest', async () => {
    await grant(request('held'));
    inner.grant(request('elsewhere', { workerName: 'elsewhere' }));
    const answers = await store.acquire(
      ['free', 'held', 'elsewhere', 'free too'].map((name) => request(name)),
    );
    expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'busy', 'busy', 'granted']);
    expect(inner.asked.at(-1)).toBe('acquire free,elsewhere,free too');
    expect(await store.acquire([])).toEqual([]);
  });

  it('tells what a holder has left when it answers, though others of the batch kept it waiting', async () => {
    await grant(request('held', { ttl: 10_000 }));
    inner.delay = () => sleep(500);
    const [answer] = await store.acquire([request('held'), request('free')]);
    expect(answer).toMatchObject({ outcome: 'busy' });
    expect((answer as { holder: HolderRecord }).holder.timeLeft).toBeLessThanOrEqual(9_500);
  });

  it('grants a name that occurs twice in a batch once', async () => {
    const answers = await store.acquire([request(), request()]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'busy']);
    const repeated = request('b');
    expect((await store.acquire([repeated, { ...repeated }])).map(({ outcome }) => outcome)).toEqual([
      'granted',
      'granted',
    ]);
  });

  it('asks the database for the holder itself, who repeats its acquire', async () => {
    const asked = request();
    const lease = await grant(asked);
    expect(await acquire(asked)).toMatchObject({ outcome: 'granted', repeated: true });
    expect((await entry())!.token).toBe(lease.fencingToken);
  });

  it('lets through who stands in the queue, and keeps the key true all the same', async () => {
    await grant();
    expect((await acquire(request('a', { ticket: 1 }))).outcome).toBe('busy');
    expect(acquires()).toBe(2);
    inner.leases.clear();
    const lease = await grant(request('a', { ticket: 2 }));
    expect((await entry())!.grantId).toBe(lease.grantId);
  });

  it('learns from the database who holds a lock that Redis knows nothing of', async () => {
    const holder = inner.grant(request('a', { workerName: 'holder' }));
    expect((await refusal()).grantId).toBe(holder.grantId);
    expect(await refusal()).toMatchObject({ workerName: 'holder', expireTime: holder.expireTime });
    expect(acquires()).toBe(1);
  });

  it('leaves no key after a database call that failed', async () => {
    inner.failure = new Error('The database is down.');
    expect((await acquire(request())).outcome).toBe('error');
    expect(await entry()).toBeUndefined();
    inner.failure = undefined;
    await grant();
  });

  it('leaves no key after a database call that rejected, and rejects too', async () => {
    inner.delay = () => Promise.reject(new Error('broken'));
    await expect(store.acquire([request()])).rejects.toThrow('broken');
    expect(await entry()).toBeUndefined();
  });

  it('keeps no key longer than the lease has left, however long the database took', async () => {
    inner.delay = () => sleep(500);
    await acquire(request('a', { ttl: 10_000 }));
    expect(await redis.pttl(`${prefix}a`)).toBeLessThanOrEqual(9_500);
  });

  it('lets the next one through as soon as a lock is released', async () => {
    for (let i = 0; i < 20; i++) {
      const { lockName, grantId, workerName } = await grant();
      await refusal();
      const [answer] = await store.release([i % 2 ? { lockName, grantId } : { lockName, workerName }]);
      expect(answer!.outcome).toBe('released');
    }
  });

  it('keeps the key of a successor when a release comes late', async () => {
    const { lockName, grantId } = await grant();
    inner.leases.clear();
    await redis.del(`${prefix}a`);
    const successor = await grant();
    expect(await store.release([{ lockName, grantId }])).toEqual([{ outcome: 'lost' }]);
    expect((await entry())!.grantId).toBe(successor.grantId);
  });

  it('forgets a lease that is lost, by a release or a renewal', async () => {
    const ends = [
      (lease: LeaseRecord) => store.release([lease]),
      (lease: LeaseRecord) => store.renew([{ ...lease, ttl: 1_000 }]),
    ];
    for (const end of ends) {
      const lease = await grant();
      inner.leases.clear();
      await end(lease);
      expect(await entry()).toBeUndefined();
    }
  });

  it('keeps the key of a lease whose release failed', async () => {
    const { lockName, grantId } = await grant();
    inner.failure = new Error('The database is down.');
    await store.release([{ lockName, grantId }]);
    expect((await entry())!.grantId).toBe(grantId);
  });

  it('lets the next one through after a force release', async () => {
    await grant();
    await store.desk.forceRelease([{ lockName: 'a', actor: 'admin', reason: 'stuck' }]);
    await grant();
  });

  it('refuses who comes after a lock was taken by hand', async () => {
    const answer = await store.desk.hold({ ...request('a', { ttl: 60_000 }), actor: 'admin', reason: null });
    expect(answer.outcome).toBe('held');
    inner.asked.length = 0;
    expect((await acquire(request())).outcome).toBe('busy');
    expect(inner.asked.filter((asked) => asked.startsWith('acquire'))).toEqual([]);
  });

  it('lets the next one through when a lease was cut short', async () => {
    const { lockName, fencingToken } = await grant(request('a', { ttl: 60_000 }));
    await store.desk.edit({ lockName, fencingToken, ttl: 1, actor: 'admin', reason: null });
    await sleep(5);
    await grant();
  });

  it('follows a renewal', async () => {
    const { lockName, grantId } = await grant(request('a', { ttl: 5_000 }));
    await store.renew([{ lockName, grantId, ttl: 60_000 }]);
    expect((await refusal()).timeLeft).toBeGreaterThan(5_000);
    expect(await redis.pttl(`${prefix}a`)).toBeLessThanOrEqual(60_000);
  });

  it('lets a lock go that has expired', async () => {
    await grant(request('a', { ttl: 100 }));
    await until('the lease ends', 10_000, async () => (await acquire(request())).outcome === 'granted');
  });

  it('refuses each lock of a set that was granted', async () => {
    await store.acquireSet([request('a'), request('b')]);
    await refusal(request('a'));
    await refusal(request('b'));
    expect(acquires()).toBe(1);
  });

  it('follows a lock that is passed on, and one that is freed instead', async () => {
    const { grantId } = await grant();
    const successor = request('a', { workerName: 'successor' });
    const pass = () => store.queue!.pass(randomUUID(), [{ lockName: 'a', grantId, successor }]);
    expect((await pass())[0]!.outcome).toBe('passed');
    expect((await refusal()).workerName).toBe('successor');
    expect((await pass())[0]!.outcome).toBe('lost');
    expect((await entry())!.grantId).toBe(successor.grantId);
    inner.queue.pass = async () => [{ outcome: 'released', next: null }];
    await store.queue!.pass(randomUUID(), [{ lockName: 'a', grantId: successor.grantId, successor }]);
    expect(await entry()).toBeUndefined();
  });

  it('heals by itself after a crash between the claim and the grant', async () => {
    const crashing = new MemoryStore();
    crashing.delay = () => new Promise(() => {});
    const crashed = await open(crashing);
    void crashed.acquire([request('a', { workerName: 'crashed', ttl: 60_000 })]);
    await until('it is claimed', 5_000, async () => (await entry()) !== undefined);
    await crashed.close();

    const since = performance.now();
    expect((await refusal()).workerName).toBe('crashed');
    await until(
      'the claim is found out',
      4_500,
      async () => (await acquire(request())).outcome === 'granted',
    );
    expect(performance.now() - since).toBeGreaterThanOrEqual(900);
    expect(inner.asked.filter((asked) => asked.startsWith('inspect'))).toEqual(['inspect a']);
  });

  it('finds out a key that lies, and believes one that does not', async () => {
    const lie = { ...request(), token: 9e15, lockTime: new Date(), expireTime: new Date() };
    await redis.set(`${prefix}lie`, writeEntry(lie), 'PX', 3_600_000);
    const lease = await grant(request('true'));
    const refused = await store.acquire([request('lie'), request('true')]);
    expect(refused).toMatchObject(
      [lie, lease].map(({ grantId }) => ({ outcome: 'busy', holder: { grantId } })),
    );
    await until('the lie is found out', 10_000, async () => (await entry('lie')) === undefined);
    expect((await acquire(request('lie'))).outcome).toBe('granted');
    expect((await entry('true'))!.grantId).toBe(lease.grantId);
    expect(inner.asked.filter((asked) => asked.startsWith('inspect'))).toEqual(['inspect lie,true']);
  });

  it('asks the database as before when Redis refuses everything', async () => {
    const refuse = jest.fn(() => Promise.reject(new Error('NOPERM')));
    const client = { status: 'ready', evalsha: refuse, eval: refuse };
    const gated = await openGate(inner, redisOptionsSchema.parse({ client }), 'dblock');
    for (let i = 0; i < 5; i++)
      expect((await acquire(request(), gated)).outcome).toBe(i === 0 ? 'granted' : 'busy');
    expect(acquires()).toBe(5);
    expect(gated.degraded).toEqual(['the Redis gate does not answer']);
    await gated.close();
  });

  it('uses the keys of its feature, unless told otherwise', async () => {
    const feature = randomUUID();
    const gated = await openGate(inner, redisOptionsSchema.parse({ client: redis, timeout: '5s' }), feature);
    await acquire(request(), gated);
    expect(await redis.del(`db-lock:${feature}:a`)).toBe(1);
    await gated.close();
  });

  it('passes on what does not concern it', async () => {
    inner.degraded = ['the database is slow'];
    expect(store.degraded).toEqual(['the database is slow']);
    expect(await store.desk.countByState()).toEqual(NONE);
    expect(await store.desk.page({ sort: 'lockName', order: 'asc', page: 1, pageSize: 1 })).toBe(NOTHING);
    expect(await store.desk.count({})).toBe(0);
    expect(await store.desk.groups({}, 1)).toEqual([]);
    expect(await store.desk.deleteReleased(['a'], 'admin')).toEqual(['a']);
    expect(await store.history.of('a', { limit: 1 })).toEqual([]);
    expect(await store.inspect(['a'])).toEqual([null]);
    expect([await store.desk.clearExpired(), await store.removeIdle(60_000)]).toEqual([1, 2]);
    const server = randomUUID();
    expect(await store.queue!.join(server, [{ ...request(), ticket: null }])).toEqual([1]);
    expect(await store.queue!.stay(server)).toEqual([]);
  });

  it('closes the store, and leaves the application’s client open and as it was', async () => {
    const listeners = () => redis.eventNames().map((event) => [event, redis.listenerCount(event)]);
    const before = listeners();
    const gated = await open();
    await acquire(request(), gated);
    expect(listeners()).toEqual(before);
    await gated.close();
    expect(inner.isClosed).toBe(true);
    expect(await redis.ping()).toBe('PONG');
  });

  it('hangs up on a Redis that it has called itself', async () => {
    const clients = async () => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))![1]);
    const before = await clients();
    const gated = await openGate(inner, redisOptionsSchema.parse({ url: server.url, prefix }), 'dblock');
    await until('it has called', 5_000, async () => (await clients()) > before);
    await gated.close();
    await until('it has hung up', 5_000, async () => (await clients()) === before);
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  LockServer,
  StoreUnavailableError,
  type AcquireAnswer,
  type LeaseRecord,
  type LockBusyError,
  type LockStore,
  type PassAnswer,
  type QueuePlace,
  type WaitQueue,
} from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { letPass } from '../../libs/db-lock/src/lease/timer.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { WaitingRoom } from '../../libs/db-lock/src/waiting/waiting-room.js';
import { PATIENT } from '../faults/scene.js';
import { BlockingSession } from '../support/blocking-session.js';
import { until } from '../support/patience.js';
import { PATIENCE, WaitingScene } from './scene.js';

const NAME = 'job';

const HERE = randomUUID();
const ELSEWHERE = randomUUID();

let scene: WaitingScene;
let store: LockStore;

beforeEach(async () => {
  scene = await WaitingScene.open(1, PATIENT);
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
    expect(await store.release([{ lockName: NAME, grantId: lease.grantId }])).toEqual([
      { outcome: 'lost', serverTime: expect.any(Date) },
    ]);
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

describe('a release', () => {
  let heard: string[];

  beforeEach(async () => {
    heard = await scene.eavesdrop();
    store.queue!.listen({ server: HERE, onWakeUp: () => undefined, onMode: () => undefined });
  });

  async function release(...waiters: Array<[server: string, workerName: string]>) {
    const { lease } = await acquire(request('ann'));
    for (const waiter of waiters) await join(...waiter);
    const [answer] = await store.release([{ lockName: NAME, grantId: lease.grantId }]);
    return answer;
  }

  it('notifies another server whose waiter is next', async () => {
    const next = { server: ELSEWHERE, isNotified: true };
    expect(await release([ELSEWHERE, 'eve'], [HERE, 'bob'])).toMatchObject({ outcome: 'released', next });
    await until('the notification is there', PATIENCE, () => heard.length > 0);
    expect(heard).toEqual([NAME]);
  });

  it('notifies nobody when the next waits here', async () => {
    const answer = await release([HERE, 'bob'], [ELSEWHERE, 'eve']);
    expect(answer).toEqual(expect.objectContaining({ next: { server: HERE, grantId: expect.any(String) } }));
    await store.queue!.wake([{ server: ELSEWHERE, lockName: 'afterwards' }]);
    await until('the notification is there', PATIENCE, () => heard.length > 0);
    expect(heard).toEqual(['afterwards']);
  });
});

describe('places in the queue', () => {
  let room: WaitingRoom;
  let stay: jest.SpiedFunction<WaitQueue['stay']>;
  let holder: LeaseRecord;
  let enough: AbortController;

  beforeEach(async () => {
    holder = (await acquire(request('holder'))).lease;
    room = new WaitingRoom(store.queue, 5_000);
    stay = jest.spyOn(store.queue!, 'stay');
    enough = new AbortController();
  });

  afterEach(() => {
    room.close(new Error('The test is over.'));
    stay.mockRestore();
  });

  /** Waits until the caller has had enough. */
  function wait(workerName: string, grantId = randomUUID()): Promise<unknown> {
    return room
      .wait(NAME, {
        workerName,
        grantId,
        wait: 600_000,
        signal: enough.signal,
        attempt: async () => ({ outcome: 'busy', holder }),
        giveBack: () => undefined,
      })
      .catch((error: unknown) => error);
  }

  /** What the room hears of its places after so many looks more at them. */
  async function placesAfter(looks: number): Promise<QueuePlace[]> {
    const count = stay.mock.calls.length + looks;
    await until(`${count} looks at the places`, PATIENCE, () => stay.mock.results.length >= count);
    return stay.mock.results[count - 1]!.value as Promise<QueuePlace[]>;
  }

  it('are cleared away when nobody stands there, also when nobody waits on the server any more', async () => {
    const waiting = wait('ann');
    await scene.queued(NAME, 'ann');
    await join(room.server, 'ghost');
    enough.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
    await until('the ghost is gone', PATIENCE, async () => (await scene.waiterRows()) === 0);
  });

  it('are kept by all who wait with the same grantId', async () => {
    const grantId = randomUUID();
    const waiting = ['ann', 'ann', 'bob'].map((workerName) => wait(workerName, grantId));
    await scene.queued(NAME, 'ann', 'ann', 'bob');
    const places = await placesAfter(1);
    expect(places).toHaveLength(3);
    expect(await placesAfter(2)).toEqual(expect.arrayContaining(places));
    enough.abort(new Error('enough'));
    expect(await Promise.all(waiting)).toMatchObject(waiting.map(() => ({ message: 'enough' })));
  });

  it('are found by those who have not heard of them', async () => {
    const { queue } = store;
    const join = queue!.join.bind(queue);
    const joining = jest.spyOn(queue!, 'join').mockImplementationOnce(async (...waiters) => {
      await join(...waiters);
      throw new Error('The answer is lost.');
    });
    const grantId = randomUUID();
    const waiting = ['ann', 'ann', 'bob'].map((workerName) => wait(workerName, grantId));
    await scene.queued(NAME, 'ann', 'ann', 'bob');
    const places = await placesAfter(1);
    expect(places).toHaveLength(3);
    const inOrder = (some: QueuePlace[]) => some.toSorted((one, other) => one.ticket - other.ticket);
    expect(inOrder(await placesAfter(2))).toEqual(inOrder(places));
    expect(joining).toHaveBeenCalledTimes(1);
    joining.mockRestore();
    enough.abort(new Error('enough'));
    await Promise.all(waiting);
    await until('the place is left', PATIENCE, async () => (await scene.waiterRows()) === 0);
  });

  it('are found again by those who have lost them', async () => {
    const waiting = wait('ann');
    await scene.queued(NAME, 'ann');
    const [place] = await placesAfter(1);
    await scene.query('DELETE FROM dblock_waiter');
    await scene.queued(NAME, 'ann');
    expect(await placesAfter(1)).toEqual([place]);
    enough.abort(new Error('enough'));
    await waiting;
  });
});

describe('the place of one who gets the lock', () => {
  it.each(['acquire', 'pass', 'set'])(
    'goes, though its server says just then that it is alive (%s)',
    async (how) => {
      const { lease } = await acquire(request('ann'));
      const bob = request('bob');
      const [ticket] = await store.queue!.join(HERE, [bob]);
      const asked = { ...bob, ticket: ticket! };
      if (how !== 'pass') await store.release([{ lockName: NAME, grantId: lease.grantId }]);
      const session = await BlockingSession.open(scene.url);
      try {
        await session.query('BEGIN');
        await session.query('UPDATE dblock_waiter SET alive_until = alive_until + interval $$1 s$$');
        const granting =
          how === 'pass'
            ? pass(lease.grantId, asked)
            : how === 'set'
              ? store.acquireSet([asked])
              : store.acquire([asked]).then(([answer]) => answer!);
        await session.awaitWaiter();
        await session.letGo();
        expect((await granting).outcome).toBe(how === 'pass' ? 'passed' : 'granted');
        expect(await scene.waiterRows()).toBe(0);
      } finally {
        await session.close();
      }
    },
  );
});

describe('giving back what nobody waits for any more', () => {
  const release = (lease: LeaseRecord) =>
    store.release([{ lockName: NAME, grantId: lease.grantId, version: lease.version }]);

  it('ends the lease that was given up', async () => {
    const { lease } = await acquire(request('ann'));
    expect(await release(lease)).toMatchObject([{ outcome: 'released' }]);
  });

  it('spares the lease when its caller has repeated the acquire or renewed it', async () => {
    const asked = request('ann');
    const { lease } = await acquire(asked);
    const { lease: repeated } = await acquire(asked);
    expect(await release(lease)).toEqual([{ outcome: 'lost', serverTime: expect.any(Date) }]);
    await store.renew([{ lockName: NAME, grantId: asked.grantId, ttl: 120_000 }]);
    expect(await release(repeated)).toEqual([{ outcome: 'lost', serverTime: expect.any(Date) }]);
    expect((await store.inspect([NAME]))[0]).toMatchObject({ state: 'held', workerName: 'ann' });
  });

  it('spares it although others contend for it meanwhile', async () => {
    const { lease } = await acquire(request('ann'));
    for (let other = 0; other < 20; other++) await store.acquire([request('bob')]);
    expect(await release(lease)).toMatchObject([{ outcome: 'released' }]);
  });

  it('spares what the caller gets who gives up and asks again with the same grantId', async () => {
    const { server, client } = scene.hosts[0]!;
    for (let round = 0; round < 60; round++) {
      const holder = await client.acquire(NAME, { ttl: '1h', wait: '60s' });
      const { ticket: _, ...asked } = request('ann');
      const enough = new AbortController();
      const first = server
        .acquire({ ...asked, wait: 60_000 }, enough.signal)
        .catch((error: unknown) => error);
      await sleep(round % 3);
      const releasing = holder.release();
      await sleep(Math.random() * 3);
      enough.abort(new Error('enough'));
      const again = await server.acquire({ ...asked, wait: 60_000 });
      await Promise.all([first, releasing]);
      await sleep(5);
      expect(again.outcome).toBe('granted');
      expect((await store.inspect([NAME]))[0]).toMatchObject({ state: 'held', workerName: 'ann' });
      await server.release({ lockName: NAME, grantId: asked.grantId });
    }
  });
});

describe('a store without a queue', () => {
  it('lets those of one server wait in their order all the same', async () => {
    const { acquire, release } = store;
    const server = new LockServer({
      ...({} as LockStore),
      acquire: acquire.bind(store),
      release: release.bind(store),
    });
    const ask = (workerName: string) => {
      const { ticket: _, ...asked } = request(workerName);
      return server.acquire({ ...asked, wait: 60_000 });
    };
    const served: string[] = [];
    await Promise.all(
      ['ann', 'bob', 'carol'].map(async (workerName) => {
        const result = await ask(workerName);
        if (result.outcome === 'busy') throw new Error('It ran out of time.');
        served.push(workerName);
        await server.release({ lockName: NAME, grantId: result.lease.grantId });
      }),
    );
    expect(served).toEqual(['ann', 'bob', 'carol']);
  });
});

describe('those who wait while the store is down', () => {
  it('are not told that the lock is busy, whatever their place', async () => {
    const { acquire, release } = store;
    let down = false;
    const asked = { before: 0, inVain: 0 };
    const failing = {
      ...({} as LockStore),
      async acquire(requests: Parameters<LockStore['acquire']>[0]): Promise<AcquireAnswer[]> {
        if (down) {
          asked.inVain++;
          return requests.map(() => ({ outcome: 'error', error: new StoreUnavailableError('down') }));
        }
        const answers = await acquire.call(store, requests);
        asked.before++;
        return answers;
      },
      release: release.bind(store),
    };
    const server = new LockServer(failing);
    await acquire.call(store, [request('holder')]);
    const waiting = ['ann', 'bob'].map((workerName) => {
      const { ticket: _, ...wanted } = request(workerName);
      return server.acquire({ ...wanted, wait: 60_000 }).catch((error: unknown) => error);
    });
    await until('they know that it is busy', PATIENCE, () => asked.before > 0);
    down = true;
    await until('they look in vain', PATIENCE, () => asked.inVain > 0);
    await letPass(60_000);
    expect(await Promise.all(waiting)).toMatchObject([
      { code: 'STORE_UNAVAILABLE' },
      { code: 'STORE_UNAVAILABLE' },
    ]);
  });

  it('never ask for a lock when their time is over before they could', async () => {
    let asked = 0;
    const room = new WaitingRoom(undefined, 5_000);
    const waiting = room.wait(NAME, {
      workerName: 'ann',
      grantId: randomUUID(),
      wait: 0,
      attempt: async () => {
        asked++;
        return { outcome: 'error', error: new Error('It was asked for.') };
      },
      giveBack: () => undefined,
    });
    await expect(waiting).rejects.toThrow(StoreUnavailableError);
    expect(asked).toBe(0);
    expect(room.line(NAME)).toBeUndefined();
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

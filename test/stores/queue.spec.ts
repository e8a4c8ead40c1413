import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { AcquireRequest } from '../../libs/db-lock/src/lease/requests.js';
import { ALIVE, TURN } from '../../libs/db-lock/src/store/wait-queue.js';
import {
  acquisition,
  fresh,
  HOUR,
  joined,
  lease,
  OTHER_SERVER,
  released,
  renewal,
  SERVER,
  waiter,
} from './requests.js';
import { POSTGRES_WAYS, STORES, type OpenStore } from './stores.js';

/** As much as tells a waiter from others. */
interface Place {
  lockName: string;
  grantId: string;
  ticket: number;
}

const placesOf = (places: readonly Place[]) =>
  places
    .map(({ lockName, grantId, ticket }) => ({ lockName, grantId, ticket }))
    .toSorted((one, other) => one.ticket - other.ticket);

describe.each([...STORES, ...POSTGRES_WAYS])('the queues of $name', ({ open }) => {
  let opened: OpenStore;
  let store: OpenStore['store'];
  let queue: OpenStore['queue'];

  beforeAll(async () => {
    opened = await open();
    ({ store, queue } = opened);
  });

  afterAll(() => opened.drop());

  const queueOf = async (lockName: string) => (await store.inspect([lockName]))[0]!.queue;
  const workersIn = async (lockName: string) => (await queueOf(lockName)).map(({ workerName }) => workerName);

  describe('who joins', () => {
    it('stands behind all who have, in the order of the call', async () => {
      const { lockName } = await lease(store, fresh('join'));
      const { lockName: other } = await lease(store, fresh('join'));
      const before = await joined(queue, lockName, { workerName: '0' });
      const tickets = await queue.join(SERVER, [
        waiter(lockName, { workerName: '1' }),
        waiter(other, { workerName: 'other' }),
        waiter(lockName, { workerName: '2' }),
      ]);
      await joined(queue, lockName, { workerName: '3', server: OTHER_SERVER });
      expect([before.ticket, ...tickets]).toEqual([before.ticket, ...tickets].toSorted((a, b) => a - b));
      expect(new Set([before.ticket, ...tickets]).size).toBe(4);
      expect(await workersIn(lockName)).toEqual(['0', '1', '2', '3']);
      expect(await workersIn(other)).toEqual(['other']);
      const { waiting, serverTime, queue: shown } = (await store.inspect([lockName]))[0]!;
      expect(waiting).toBe(4);
      for (const { since } of shown)
        expect(Math.abs(since.getTime() - serverTime.getTime())).toBeLessThan(60_000);
    });

    it('gets ever greater tickets, also when those before have left', async () => {
      const { lockName } = await lease(store, fresh('join'));
      const tickets: number[] = [];
      for (let count = 0; count < 30; count++) {
        const place = await joined(queue, lockName);
        tickets.push(place.ticket);
        await queue.leave([place]);
      }
      expect(tickets).toEqual(tickets.toSorted((one, other) => one - other));
      expect(new Set(tickets).size).toBe(tickets.length);
    });

    it('goes back to its place with its ticket', async () => {
      const { lockName } = await lease(store, fresh('join'));
      const first = await joined(queue, lockName, { workerName: 'first' });
      const second = await joined(queue, lockName, { workerName: 'second' });
      await queue.leave([first]);
      const tickets = await queue.join(SERVER, [first, waiter(lockName, { workerName: 'third' }), second]);
      expect([tickets[0], tickets[2]]).toEqual([first.ticket, second.ticket]);
      expect(tickets[1]).toBeGreaterThan(second.ticket);
      expect(await workersIn(lockName)).toEqual(['first', 'second', 'third']);
    });

    it('may stand in several queues under one grantId', async () => {
      const one = await lease(store, fresh('join'));
      const other = await lease(store, fresh('join'));
      const grantId = randomUUID();
      const tickets = await queue.join(SERVER, [
        waiter(one.lockName, { grantId }),
        waiter(other.lockName, { grantId }),
      ]);
      expect(tickets[1]).toBeGreaterThan(tickets[0]!);
      await queue.leave([{ lockName: one.lockName, grantId, ticket: tickets[0]! }]);
      expect([await queueOf(one.lockName), await workersIn(other.lockName)]).toEqual([[], ['waiter']]);
    });
  });

  it('leaves only by its name, ticket and grantId', async () => {
    const { lockName } = await lease(store, fresh('leave'));
    const place = await joined(queue, lockName);
    await queue.leave([
      { ...place, ticket: place.ticket + 1 },
      { ...place, grantId: randomUUID() },
      { ...place, lockName: fresh('leave') },
    ]);
    expect(await workersIn(lockName)).toEqual(['waiter']);
    await queue.leave([place, place]);
    await queue.leave([]);
    expect(await queueOf(lockName)).toEqual([]);
  });

  it('shows a hundred of those who wait, and counts all', async () => {
    const { lockName } = await lease(store, fresh('long'));
    const waiters = Array.from({ length: 130 }, (_, index) => waiter(lockName, { workerName: `${index}` }));
    await queue.join(SERVER, waiters);
    const look = (await store.inspect([lockName]))[0]!;
    expect(look.waiting).toBe(130);
    expect(look.queue.map(({ workerName }) => workerName)).toEqual(
      waiters.slice(0, 100).map(({ workerName }) => workerName),
    );
  });

  describe('a sign of life', () => {
    it('keeps the waiters of its server, and tells of them', async () => {
      const [server, other] = [randomUUID(), randomUUID()];
      const { lockName } = await lease(store, fresh('stay'));
      const places = [];
      for (const workerName of ['a', 'b', 'c'])
        places.push(await joined(queue, lockName, { workerName, server }));
      await joined(queue, lockName, { workerName: 'dead', server: other });
      await opened.letPass(ALIVE);
      expect(await workersIn(lockName)).toEqual([]);
      expect((await queue.stay(server)).map(({ grantId }) => grantId).toSorted()).toEqual(
        places.map(({ grantId }) => grantId).toSorted(),
      );
      expect(await workersIn(lockName)).toEqual(['a', 'b', 'c']);
      expect(await queue.stay(other)).toEqual([]);
    });

    it('tells where they stand', async () => {
      const server = randomUUID();
      const place = await joined(queue, fresh('stay'), { server });
      const another = await joined(queue, fresh('stay'), { server });
      expect(placesOf(await queue.stay(server))).toEqual(placesOf([place, another]));
      await queue.leave([place]);
      expect(placesOf(await queue.stay(server))).toEqual(placesOf([another]));
    });

    it('of a server without waiters tells of none', async () => {
      expect(await queue.stay(randomUUID())).toEqual([]);
    });
  });

  describe('a pass', () => {
    const successorOf = ({ workerName, ...place }: Place & { workerName: string }): AcquireRequest =>
      acquisition(place.lockName, { ...place, workerName, metadata: { next: true } });

    it('ends the lease, and grants the lock to the successor', async () => {
      const held = await lease(store, fresh('pass'));
      const { lockName, grantId } = held;
      const place = await joined(queue, lockName, { workerName: 'next' });
      const behind = await joined(queue, lockName, { server: OTHER_SERVER, workerName: 'behind' });
      const [answer] = await queue.pass(SERVER, [{ lockName, grantId, successor: successorOf(place) }]);
      if (answer?.outcome !== 'passed') throw new Error(`not passed: ${answer?.outcome}`);
      expect(answer.lease).toMatchObject({
        lockName,
        grantId: place.grantId,
        workerName: 'next',
        metadata: { next: true },
      });
      expect(answer.lease.fencingToken).toBeGreaterThan(held.fencingToken);
      expect(answer.lease.timeLeft).toBeGreaterThan(HOUR / 2);
      expect(await workersIn(lockName)).toEqual(['behind']);
      expect(await store.renew([renewal(held)])).toMatchObject([{ outcome: 'lost' }]);
      expect(await store.release([answer.lease])).toMatchObject([
        {
          outcome: 'released',
          grantId: place.grantId,
          next: { server: OTHER_SERVER, grantId: behind.grantId },
        },
      ]);
    });

    it('to one who has not joined, past others of its server', async () => {
      const { lockName, grantId } = await lease(store, fresh('pass'));
      await joined(queue, lockName);
      const successor = acquisition(lockName);
      expect(await queue.pass(SERVER, [{ lockName, grantId, successor }])).toMatchObject([
        { outcome: 'passed', lease: { grantId: successor.grantId } },
      ]);
      expect(await workersIn(lockName)).toEqual(['waiter']);
    });

    it('frees the lock where somebody on another server has waited longer', async () => {
      const held = await lease(store, fresh('pass'));
      const { lockName, grantId } = held;
      const first = await joined(queue, lockName, { server: OTHER_SERVER });
      const place = await joined(queue, lockName);
      const [answer] = await queue.pass(SERVER, [{ lockName, grantId, successor: successorOf(place) }]);
      expect(answer).toEqual({
        outcome: 'released',
        next: { server: OTHER_SERVER, grantId: first.grantId },
        serverTime: expect.any(Date),
      });
      expect((await store.inspect([lockName]))[0]).toMatchObject({
        state: 'released',
        workerName: null,
        metadata: null,
        fencingToken: held.fencingToken,
        waiting: 2,
      });
    });

    it('to one without a ticket frees the lock where anybody waits on another server', async () => {
      const { lockName, grantId } = await lease(store, fresh('pass'));
      const first = await joined(queue, lockName, { server: OTHER_SERVER });
      for (const ticket of [null, undefined])
        expect(
          await queue.pass(SERVER, [{ lockName, grantId, successor: acquisition(lockName, { ticket }) }]),
        ).toMatchObject([
          ticket === null ? { outcome: 'released', next: { grantId: first.grantId } } : { outcome: 'lost' },
        ]);
    });

    it('minds no dead ones', async () => {
      const { lockName, grantId } = await lease(store, fresh('pass'));
      await joined(queue, lockName, { server: OTHER_SERVER });
      await opened.letPass(ALIVE);
      const place = await joined(queue, lockName);
      expect(await queue.pass(SERVER, [{ lockName, grantId, successor: successorOf(place) }])).toMatchObject([
        { outcome: 'passed' },
      ]);
    });

    it('of what is over, or was never there, is lost, and the successor has got nothing', async () => {
      const ended = await released(store, fresh('pass'));
      const taken = await lease(store, fresh('pass'));
      const expired = await lease(store, fresh('pass'), { ttl: 60_000 });
      await opened.letPass(60_000);
      const gone = [
        ended,
        expired,
        { ...taken, grantId: randomUUID() },
        { lockName: fresh('never'), grantId: randomUUID() },
      ];
      const answers = await queue.pass(
        SERVER,
        gone.map(({ lockName, grantId }) => ({ lockName, grantId, successor: acquisition(lockName) })),
      );
      expect(answers).toEqual(gone.map(() => ({ outcome: 'lost' })));
      const states = (await store.inspect(gone.map(({ lockName }) => lockName))).map((lock) => lock?.state);
      expect(states).toEqual(['released', 'expired', 'held', undefined]);
    });

    it('is answered one by one, also twice for a name', async () => {
      const { lockName, grantId } = await lease(store, fresh('pass'));
      const other = await lease(store, fresh('pass'));
      const [first, second, third] = [lockName, other.lockName, lockName].map((name) => acquisition(name));
      const answers = await queue.pass(SERVER, [
        { lockName, grantId, successor: first! },
        { lockName: other.lockName, grantId: other.grantId, successor: second! },
        { lockName, grantId: first!.grantId, successor: third! },
      ]);
      expect(answers).toMatchObject([
        { outcome: 'passed', lease: { grantId: first!.grantId } },
        { outcome: 'passed', lease: { grantId: second!.grantId } },
        { outcome: 'passed', lease: { grantId: third!.grantId } },
      ]);
    });
  });

  describe('next in line', () => {
    it('is the first who is alive and has not had the lock', async () => {
      const { lockName, grantId } = await lease(store, fresh('next'));
      await joined(queue, lockName, { server: OTHER_SERVER });
      await opened.letPass(ALIVE);
      await joined(queue, lockName, { grantId });
      const next = await joined(queue, lockName, { server: OTHER_SERVER });
      await joined(queue, lockName);
      expect(await store.release([{ lockName, grantId }])).toMatchObject([
        { outcome: 'released', next: { server: OTHER_SERVER, grantId: next.grantId } },
      ]);
    });

    it('is nobody where nobody waits for that lock', async () => {
      const held = await lease(store, fresh('next'));
      await joined(queue, fresh('next'));
      expect(await store.release([held])).toMatchObject([{ outcome: 'released', next: null }]);
    });
  });

  describe('a lock that came free', () => {
    /** A lock with a queue, freed just now; and when. */
    const freed = async (how: 'released' | 'expired' | 'forced' = 'released') => {
      const { lockName, grantId } = await lease(store, fresh('turn'));
      if (how === 'expired') await opened.letPass(HOUR);
      const first = await joined(queue, lockName, { workerName: 'first' });
      const second = await joined(queue, lockName, { workerName: 'second', server: OTHER_SERVER });
      if (how === 'released') await store.release([{ lockName, grantId }]);
      if (how === 'forced') await opened.desk.forceRelease([{ lockName, actor: 'ann', reason: 'r' }]);
      const { expireTime } = (await store.inspect([lockName]))[0]!;
      return { lockName, first, second, expireTime };
    };

    /** A slow machine may have let the turn pass. */
    const expectKept = async (
      { first, expireTime }: Awaited<ReturnType<typeof freed>>,
      request: AcquireRequest,
    ) => {
      const [answer] = await store.acquire([request]);
      if (answer?.outcome === 'granted')
        return expect(answer.lease.lockTime.getTime()).toBeGreaterThanOrEqual(expireTime.getTime() + TURN);
      expect(answer).toMatchObject({
        outcome: 'busy',
        holder: {
          workerName: 'first',
          grantId: first.grantId,
          lockTime: expireTime,
          expireTime: new Date(expireTime.getTime() + TURN),
        },
      });
      if (answer?.outcome === 'busy') expect(answer.holder.timeLeft).toBeLessThanOrEqual(TURN);
    };

    it.each(['released', 'expired', 'forced'] as const)(
      'is kept for the first from who has no ticket (%s)',
      async (how) => {
        const lock = await freed(how);
        await expectKept(lock, acquisition(lock.lockName));
      },
    );

    it('is kept from who stands behind, and from a set', async () => {
      const lock = await freed();
      await expectKept(lock, acquisition(lock.lockName, lock.second));
      const another = await freed();
      const answer = await store.acquireSet([acquisition(another.lockName)]);
      if (answer.outcome === 'busy') expect(answer.holder.grantId).toBe(another.first.grantId);
      else expect(answer.outcome).toBe('granted');
    });

    it('is granted to the first, who leaves the queue', async () => {
      const { lockName, first } = await freed();
      expect(await store.acquire([acquisition(lockName, first)])).toMatchObject([{ outcome: 'granted' }]);
      expect(await workersIn(lockName)).toEqual(['second']);
    });

    it('is granted to who has a smaller ticket than the first', async () => {
      const { lockName, first } = await freed();
      expect(await store.acquire([acquisition(lockName, { ticket: first.ticket - 1 })])).toMatchObject([
        { outcome: 'granted' },
      ]);
      expect(await workersIn(lockName)).toEqual(['first', 'second']);
    });

    it('is kept for nobody when the turn has passed', async () => {
      const { lockName } = await freed();
      await opened.letPass(TURN);
      expect(await store.acquire([acquisition(lockName)])).toMatchObject([{ outcome: 'granted' }]);
      expect(await workersIn(lockName)).toEqual(['first', 'second']);
    });

    it('is kept for no dead ones', async () => {
      const { lockName, grantId } = await lease(store, fresh('turn'));
      await joined(queue, lockName);
      await opened.letPass(ALIVE);
      await store.release([{ lockName, grantId }]);
      expect(await store.acquire([acquisition(lockName)])).toMatchObject([{ outcome: 'granted' }]);
    });

    it('leaves who has got a set in no queue of it', async () => {
      const names = [fresh('set'), fresh('set')];
      const grantId = randomUUID();
      await released(store, names[0]!);
      for (const name of names) await joined(queue, name, { grantId });
      const set = names.map((name) => acquisition(name, { grantId }));
      expect(await store.acquireSet(set)).toMatchObject({ outcome: 'granted' });
      for (const name of names) expect(await queueOf(name)).toEqual([]);
    });
  });
});

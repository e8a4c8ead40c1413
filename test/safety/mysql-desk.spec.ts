import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { COUNTED, noCounts, type HistoryEntry } from '../../libs/db-lock/src/store/history-store.js';
import type { LockFilter, ListQuery, SortField } from '../../libs/db-lock/src/store/lock-desk.js';
import type { LockRecord, LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import {
  createMariadbDatabase,
  describeWithMariadb,
  queryMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';
import { until } from '../support/patience.js';

/** Each with how many wait for it. */
const LOCKS: Array<{
  lockName: string;
  workerName: string;
  state: 'held' | 'expired' | 'released';
  waiting: number;
}> = [
  { lockName: 'app:eu:1', workerName: 'Zoë', state: 'held', waiting: 3 },
  { lockName: 'app:eu:2', workerName: 'ann', state: 'expired', waiting: 1 },
  { lockName: 'app:us:1', workerName: 'ann', state: 'released', waiting: 0 },
  { lockName: 'App:eu:1', workerName: 'Bob', state: 'held', waiting: 0 },
  { lockName: 'app:é:ÄPFEL', workerName: 'bob', state: 'held', waiting: 0 },
  { lockName: '100%_\\', workerName: "o'neill", state: 'held', waiting: 0 },
  { lockName: '😀:1', workerName: 'ann', state: 'expired', waiting: 0 },
  { lockName: '\u{ffff}:1', workerName: 'ann', state: 'held', waiting: 2 },
  { lockName: 'plain', workerName: 'ann', state: 'released', waiting: 0 },
];

const FILTERS: LockFilter[] = [
  {},
  { search: 'APP' },
  { search: 'äpfel' },
  { search: 'é' },
  { search: 'e' },
  { search: '%_' },
  { search: '\\' },
  { search: "O'" },
  { search: 'zoë' },
  { search: 'nobody' },
  { state: 'held' },
  { state: 'expired' },
  { state: 'released' },
  { state: 'contended' },
  { prefix: 'app:' },
  { prefix: 'app:eu:', state: 'held' },
  { prefix: 'App', search: 'bob' },
  { prefix: '😀' },
  { prefix: '100%' },
];

const SORTS: SortField[] = ['lockName', 'workerName', 'lockTime', 'expireTime', 'fencingToken', 'waiting'];

const EXPIRED = 1;

/** Makes the locks, one after the other, so that times and tokens have an order. */
async function fill(store: LockStore): Promise<void> {
  for (const { lockName, workerName, state, waiting } of LOCKS) {
    const request = { ...requestOf(lockName, state === 'expired' ? EXPIRED : 600_000), workerName };
    await store.acquire([request]);
    if (state === 'released') await store.release([{ lockName, grantId: request.grantId }]);
    const waiters = Array.from({ length: waiting }, (_, index) => ({
      lockName,
      workerName: `waiter ${index}`,
      grantId: randomUUID(),
      ticket: null,
    }));
    await store.queue!.join(randomUUID(), waiters);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

const shown = ({ lockName, workerName, state, waiting }: LockRecord) => ({
  lockName,
  workerName,
  state,
  waiting,
});

describeWithMariadb('What operators see and do on MariaDB', () => {
  let database: MariadbDatabase;
  let hosts: MariadbHost[];
  let store: LockStore;
  let memory: LockStore;

  beforeAll(async () => {
    database = await createMariadbDatabase();
    hosts = await openMariadbHosts(database.url, 1, { history: false });
    store = hosts[0]!.store;
  });

  afterAll(async () => {
    for (const { app } of hosts) await app.close();
    await database.drop();
  });

  const eventsOf = async (lockName: string) =>
    (await store.history.of(lockName, { limit: 100 })).map(({ event }) => event);

  /** As if nobody had used the locks for an hour. */
  const age = (lockNames: string[]) =>
    queryMariadb(
      database.url,
      `UPDATE dblock_lock SET token = token - 3600000000, lock_time = lock_time - 3600000000,
        expire_time = expire_time - 3600000000
      WHERE lock_name IN (${lockNames.map((name) => `'${name}'`).join()})`,
    );

  describe('the list', () => {
    // Waiters count as alive for some seconds.
    const fresh = async () => {
      memory = new MemoryLockStore();
      await queryMariadb(database.url, 'DELETE FROM dblock_lock');
      await queryMariadb(database.url, 'DELETE FROM dblock_waiter');
      await Promise.all([fill(store), fill(memory)]);
    };

    it('is that of a store in memory, however it is searched and sorted', async () => {
      await fresh();
      for (const filter of FILTERS) {
        const what = JSON.stringify(filter);
        const count = await memory.desk.count(filter);
        expect([what, await store.desk.count(filter)]).toEqual([what, count]);
        expect([what, await store.desk.groups(filter, 10)]).toEqual([
          what,
          await memory.desk.groups(filter, 10),
        ]);
        for (const sort of SORTS)
          for (const order of ['asc', 'desc'] as const) {
            const query: ListQuery = { ...filter, sort, order, page: 1, pageSize: 50 };
            const [{ items }, expected] = await Promise.all([
              store.desk.page(query),
              memory.desk.page(query),
            ]);
            expect([what, sort, order, items.map(shown)]).toEqual([
              what,
              sort,
              order,
              expected.items.map(shown),
            ]);
          }
      }
      expect(await store.desk.countByState()).toEqual(await memory.desk.countByState());
    });

    it('comes page by page, and all of it in chunks', async () => {
      await fresh();
      const names = LOCKS.map(({ lockName }) => lockName).toSorted((one, other) =>
        Buffer.compare(Buffer.from(one), Buffer.from(other)),
      );
      const pages: string[] = [];
      for (let page = 1; page <= 4; page++) {
        const query: ListQuery = { sort: 'lockName', order: 'asc', page, pageSize: 3 };
        pages.push(...(await store.desk.page(query)).items.map(({ lockName }) => lockName));
      }
      expect(pages).toEqual(names);
      const chunks: string[][] = [];
      for await (const chunk of store.desk.listAll({}, 4)) chunks.push(chunk.map(({ lockName }) => lockName));
      expect(chunks.map(({ length }) => length)).toEqual([4, 4, 1]);
      expect(chunks.flat()).toEqual(names);
      const { serverTime } = await store.desk.page({ sort: 'lockName', order: 'asc', page: 9, pageSize: 3 });
      expect(Math.abs(serverTime.getTime() - Date.now())).toBeLessThan(60_000);
    });
  });

  it('a lease is freed by force, unless another one is meant, and each is recorded once', async () => {
    const [one, other] = [requestOf('force:1'), requestOf('force:2')];
    const [granted] = await store.acquire([one, other]);
    const { fencingToken } = granted?.outcome === 'granted' ? granted.lease : { fencingToken: 0 };
    const act = { actor: 'eve', reason: 'it hangs' };
    expect(
      await store.desk.forceRelease([
        { lockName: 'force:1', ...act, fencingToken: fencingToken - 1 },
        { lockName: 'force:2', ...act, reason: 'likewise' },
        { lockName: 'force:3', ...act },
      ]),
    ).toMatchObject([
      { outcome: 'changed' },
      { outcome: 'forced', holders: [{ grantId: other.grantId, workerName: 'ann' }], next: null },
      { outcome: 'free' },
    ]);
    const server = randomUUID();
    await store.queue!.join(server, [{ ...requestOf('force:1'), ticket: null }]);
    expect(await store.desk.forceRelease([{ lockName: 'force:1', ...act, fencingToken }])).toMatchObject([
      { outcome: 'forced', holders: [{ fencingToken }], next: { server } },
    ]);
    expect(await eventsOf('force:1')).toEqual(['forced']);
    expect(await store.history.of('force:2', { limit: 1 })).toMatchObject([
      {
        event: 'forced',
        actor: 'eve',
        reason: 'likewise',
        workerName: 'ann',
        grantId: `${other.grantId.slice(0, 8)}…`,
      },
    ]);
    const [lock] = await store.inspect(['force:1']);
    expect(lock).toMatchObject({ state: 'released', workerName: null, metadata: null });
    expect(lock!.fencingToken).toBeGreaterThan(fencingToken);
  });

  it('an operator takes a free lock, past an expired lease, which is recorded, and no taken one', async () => {
    await store.acquire([{ ...requestOf('hold', 1), workerName: 'late' }]);
    await until(
      'it has expired',
      10_000,
      async () => (await store.inspect(['hold']))[0]?.state === 'expired',
    );
    const request = { ...requestOf('hold'), metadata: { ticket: 7 }, actor: 'eve', reason: 'upgrade' };
    expect(await store.desk.hold(request)).toMatchObject({
      outcome: 'held',
      lease: { workerName: 'ann', grantId: request.grantId, metadata: { ticket: 7 } },
      expired: { lockName: 'hold', workerName: 'late' },
    });
    expect(await store.desk.hold({ ...request, grantId: randomUUID() })).toEqual({ outcome: 'busy' });
    expect(await eventsOf('hold')).toEqual(['created', 'expired']);
    expect(await store.desk.hold({ ...requestOf('hold:new'), actor: 'eve', reason: null })).toMatchObject({
      outcome: 'held',
      expired: undefined,
    });
  });

  it('a lease is edited, and what has changed is recorded', async () => {
    const request = { ...requestOf('edit'), metadata: { a: 1 } };
    const [answer] = await store.acquire([request]);
    const lease = answer?.outcome === 'granted' ? answer.lease : undefined;
    const { fencingToken } = lease!;
    const act = { lockName: 'edit', fencingToken, actor: 'eve', reason: null };
    const edited = await store.desk.edit({ ...act, ttl: 120_000, metadata: { b: [2] } });
    if (edited.outcome !== 'edited') throw new Error(`It is ${edited.outcome}.`);
    expect(edited.lease).toMatchObject({ metadata: { b: [2] }, fencingToken });
    expect(edited.lease.timeLeft).toBeGreaterThan(110_000);
    const [record] = await store.history.of('edit', { limit: 1 });
    expect(record!.details).toEqual({
      expireTime: { from: lease!.expireTime.toISOString(), to: edited.lease.expireTime.toISOString() },
      metadata: { from: { a: 1 }, to: { b: [2] } },
    });
    expect(await store.desk.edit({ ...act, metadata: null })).toMatchObject({ lease: { metadata: null } });
    expect(await store.desk.edit({ ...act, metadata: null })).toMatchObject({ outcome: 'edited' });
    const history = await store.history.of('edit', { limit: 2 });
    expect(history.map(({ details }) => details)).toEqual([{}, { metadata: { from: { b: [2] }, to: null } }]);
    expect(await store.desk.edit({ ...act, fencingToken: fencingToken - 1, ttl: 1 })).toEqual({
      outcome: 'changed',
    });
    // What was written since is not taken back: a repeat that says its version is too late.
    expect(
      await store.release([{ lockName: 'edit', grantId: request.grantId, version: lease!.version }]),
    ).toMatchObject([{ outcome: 'lost' }]);
    expect(await store.release([{ lockName: 'edit', grantId: request.grantId }])).toMatchObject([
      { outcome: 'released' },
    ]);
  });

  it('an edit and renewals at the same time are all done', async () => {
    const request = requestOf('busy edit');
    const [answer] = await store.acquire([request]);
    const { fencingToken } = answer?.outcome === 'granted' ? answer.lease : { fencingToken: 0 };
    const act = { lockName: 'busy edit', fencingToken, actor: 'eve', reason: null };
    const edits = await Promise.all([
      ...Array.from({ length: 10 }, (_, n) => store.desk.edit({ ...act, metadata: { n } })),
      ...Array.from({ length: 10 }, () => store.renew([{ ...request, ttl: 60_000 }])),
    ]);
    expect(edits.flat().map(({ outcome }) => outcome)).toEqual([
      ...Array.from({ length: 10 }, () => 'edited'),
      ...Array.from({ length: 10 }, () => 'renewed'),
    ]);
  });

  it('free locks are deleted, others stay', async () => {
    const names = ['delete:free', 'delete:held', 'delete:recent', 'delete:waited'];
    const requests = names.map((lockName) => requestOf(lockName));
    await store.acquire(requests);
    const ended = requests.filter(({ lockName }) => lockName !== 'delete:held');
    await store.release(ended.map(({ lockName, grantId }) => ({ lockName, grantId })));
    await age(names.filter((lockName) => lockName !== 'delete:recent' && lockName !== 'delete:held'));
    await store.queue!.join(randomUUID(), [{ ...requestOf('delete:waited'), ticket: null }]);
    expect(await store.desk.deleteReleased([...names, 'delete:none'], 'eve')).toEqual(['delete:free']);
    expect((await store.inspect(names)).map((lock) => lock?.state ?? null)).toEqual([
      null,
      'held',
      'released',
      'released',
    ]);
    expect(await store.history.of('delete:free', { limit: 5 })).toMatchObject([
      { event: 'deleted', actor: 'eve', workerName: null },
    ]);
  });

  it('expired leases are cleared, and idle locks are removed, however many there are', async () => {
    await queryMariadb(database.url, 'DELETE FROM dblock_lock');
    const lateOnes = Array.from({ length: 2_500 }, (_, index) => ({
      ...requestOf(`late:${index}`, 1),
      workerName: 'late',
    }));
    await store.acquire([...lateOnes, requestOf('live')]);
    await until('all have expired', 10_000, async () => (await store.desk.countByState()).expired === 2_500);
    expect(await store.desk.clearExpired('eve')).toBe(2_500);
    expect(await store.desk.clearExpired()).toBe(0);
    expect(await store.desk.countByState()).toMatchObject({ held: 1, expired: 0, released: 2_500 });
    expect(await store.history.of('late:7', { limit: 5 })).toMatchObject([
      { event: 'cleared', actor: 'eve', workerName: 'late' },
    ]);
    expect(await store.removeIdle(60_000)).toBe(0);
    await queryMariadb(
      database.url,
      `UPDATE dblock_lock SET token = token - 3600000000, expire_time = expire_time - 3600000000
      WHERE lock_name LIKE 'late:%' AND lock_name <> 'late:9'`,
    );
    expect(await store.removeIdle(60_000)).toBe(2_499);
    expect(await store.desk.countByState()).toMatchObject({ held: 1, released: 1 });
  });

  describe('the history', () => {
    const entry = (more: Partial<HistoryEntry>): HistoryEntry => ({
      lockName: 'past',
      event: 'acquired',
      workerName: 'ann',
      grantId: null,
      fencingToken: null,
      details: null,
      age: 0,
      time: null,
      ...more,
    });

    it('is told from its new end, page by page', async () => {
      const time = Date.now() - 100_000;
      await store.history.record([
        entry({ time, details: { n: 1 } }),
        entry({ time, details: { n: 2 } }),
        entry({ age: 5_000, details: { n: 4 } }),
        entry({ time: time + 1, details: { n: 3 } }),
      ]);
      const seen: unknown[] = [];
      let before: string | undefined;
      for (let page = 0; page < 5; page++) {
        const [record] = await store.history.of('past', { limit: 1, before });
        if (!record) break;
        seen.push(record.details?.n);
        before = record.cursor;
        expect(Math.abs(Date.now() - record.eventTime.getTime())).toBeLessThan(160_000);
      }
      expect(seen).toEqual([4, 3, 2, 1]);
    });

    it('finds the worker of a lease that ends on another server, and no loss where nothing was lost', async () => {
      memory = new MemoryLockStore();
      const [mine, gone, unknown] = [randomUUID(), randomUUID(), randomUUID()];
      for (const one of [store, memory]) {
        await one.acquire([requestOf('known')]);
        const known = (more: Partial<HistoryEntry>) => entry({ lockName: 'known', ...more });
        await one.history.record([
          known({ grantId: mine, workerName: 'ann', fencingToken: 7 }),
          known({ grantId: gone, workerName: 'bob', fencingToken: 8, event: 'released' }),
        ]);
        await one.history.record([
          known({ grantId: mine, workerName: null, event: 'released' }),
          known({ grantId: gone, workerName: null, event: 'lost' }),
          known({ grantId: unknown, workerName: null, event: 'lost' }),
          known({ grantId: unknown, workerName: null, event: 'lost', lockName: 'never there' }),
          known({ grantId: null, workerName: null, event: 'lost', lockName: 'never there' }),
        ]);
      }
      const told = async (one: LockStore, lockName: string) =>
        (await one.history.of(lockName, { limit: 50 })).map(({ event, workerName, fencingToken }) => ({
          event,
          workerName,
          fencingToken,
        }));
      expect(await told(store, 'known')).toEqual(await told(memory, 'known'));
      expect((await told(store, 'known'))[1]).toEqual({
        event: 'released',
        workerName: 'ann',
        fencingToken: 7,
      });
      expect(await told(store, 'never there')).toEqual([]);
    });

    it('counts what happens in each minute, also when several servers do, as a store in memory', async () => {
      memory = new MemoryLockStore();
      const tallies = Array.from({ length: 12 }, (_, n) => ({
        counts: { ...noCounts(), acquired: n, refused: 1 },
        hold: [0, n, 1],
        wait: n % 2 ? [1, 0, 0, 2] : [],
        contended: [
          { lockName: `name ${n}`, refused: n, waited: 1 },
          { lockName: '__proto__', refused: 100, waited: 0 },
          { lockName: "it's \\", refused: 50, waited: 0 },
        ],
      }));
      for (const tally of tallies) await memory.history.count(tally);
      await Promise.all(tallies.map((tally) => store.history.count(tally)));
      await store.history.count({ counts: noCounts(), hold: [0], wait: [], contended: [] });
      const [seen, expected] = await Promise.all([
        store.history.statistics(3_600_000, 3_600_000),
        memory.history.statistics(3_600_000, 3_600_000),
      ]);
      const sum = (points: ReadonlyArray<Record<(typeof COUNTED)[number], number>>) =>
        COUNTED.map((counted) => points.reduce((all, point) => all + point[counted], 0));
      expect(sum(seen.points)).toEqual(sum(expected.points));
      expect({ ...seen, points: [], serverTime: 0 }).toEqual({ ...expected, points: [], serverTime: 0 });
      expect(await store.history.statistics(1, 60_000)).toMatchObject({
        points: [],
        hold: [],
        contended: [],
      });
    });

    it('tells of changes since the last look, and where there are too many', async () => {
      const first = await store.history.changes(undefined, new Map(), 10);
      expect(first).toMatchObject({ locks: [], removed: [], truncated: false });
      const quiet = await store.history.changes(first.cursor, first.waiting, 10);
      expect(quiet).toMatchObject({ cursor: first.cursor, locks: [], removed: [], truncated: false });

      await store.acquire([requestOf('changed')]);
      await store.history.record([entry({ lockName: 'changed' }), entry({ lockName: 'not there' })]);
      await store.queue!.join(randomUUID(), [{ ...requestOf('live'), ticket: null }]);
      const second = await store.history.changes(first.cursor, first.waiting, 10);
      expect(second.truncated).toBe(false);
      expect(second.removed).toEqual(['not there']);
      expect(second.waiting.get('live')).toBe(1);
      expect(
        second.locks.map(({ lockName, waiting, lastEvent }) => ({ lockName, waiting, isNew: lastEvent > 0 })),
      ).toEqual(
        expect.arrayContaining([
          { lockName: 'changed', waiting: 0, isNew: true },
          { lockName: 'live', waiting: 1, isNew: false },
        ]),
      );
      expect(await store.history.changes(second.cursor, second.waiting, 10)).toMatchObject({ locks: [] });
      expect(await store.history.changes(first.cursor, first.waiting, 1)).toMatchObject({
        truncated: true,
        locks: [],
        cursor: second.cursor,
      });
    });

    it('is trimmed by age and by number; what operators did goes by its age only', async () => {
      await queryMariadb(database.url, 'DELETE FROM dblock_history');
      await store.history.record([
        ...Array.from({ length: 6_000 }, () => entry({ lockName: 'old', age: 7_200_000 })),
        ...Array.from({ length: 30 }, () => entry({ lockName: 'new' })),
      ]);
      expect(await store.history.trim(86_400_000, 10_000)).toBe(0);
      expect(await store.history.trim(3_600_000, 10_000)).toBe(6_000);
      await store.desk.forceRelease([{ lockName: 'live', actor: 'eve', reason: 'test' }]);
      await store.history.record(Array.from({ length: 20 }, () => entry({ lockName: 'newer' })));
      expect(await store.history.trim(3_600_000, 10)).toBe(40);
      expect(await eventsOf('newer')).toHaveLength(10);
      expect(await eventsOf('live')).toEqual(['forced']);
    });
  });
});

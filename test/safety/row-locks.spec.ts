import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, LockServer, StoreUnavailableError } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { LeaseRecord, LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { COMPANY } from '../stores/company.js';

const request = (lockName: string, ttl = 60_000) => ({
  lockName,
  workerName: 'ann',
  grantId: randomUUID(),
  ttl,
  metadata: null,
});

/** The ways in which a lease may be released. */
const RELEASES = [
  { how: 'by its grant', asked: (grantId: string) => ({ grantId }) },
  { how: 'by its grant, with minHold', asked: (grantId: string) => ({ grantId, minHold: 1 }) },
  { how: 'by its worker', asked: () => ({ workerName: 'ann' }) },
];

describe.each(COMPANY)(
  'while somebody else has locked the row of a lock, asked for $company',
  ({ within }) => {
    let database: TestDatabase;
    let apps: INestApplication[];
    let session: BlockingSession;
    let locks: LockClient;
    let store: LockStore;
    let otherStore: LockStore;

    beforeAll(async () => {
      database = await createTestDatabase();
      const connection = { type: 'postgres' as const, url: database.url };
      apps = [
        // What is blocked here waits for as long as the test likes, also where the machine is slow.
        await createLockApplication({ database: { ...connection, driver: tamperedPostgres(PATIENT) } }),
        await createLockApplication({ database: connection }),
      ];
      session = await BlockingSession.open(database.url);
      locks = apps[0]!.get(LockClient);
      store = within(apps[0]!.get<LockStore>(LOCK_STORE));
      otherStore = within(apps[1]!.get<LockStore>(LOCK_STORE));
    });

    afterAll(async () => {
      await session.close();
      for (const app of apps) await app.close();
      await database.drop();
    });

    it('a lease begins after the row was locked, not when the statement began', async () => {
      await (await locks.acquire('late')).release();
      await session.lockRow('late');
      const acquiring = store.acquire([request('late', 5000)]);
      await session.awaitWaiter();
      await sleep(300);
      const letGo = await session.letGo();
      const [answer] = await acquiring;
      expect(answer).toMatchObject({ outcome: 'granted' });
      const { lease } = answer as { lease: LeaseRecord };
      expect(lease.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
    });

    it('each lease of a batch begins when its own row is locked', async () => {
      await (await locks.acquire('batch:1')).release();
      await session.lockRow('batch:1');
      const acquiring = store.acquire([request('batch:1', 5000), request('batch:2', 5000)]);
      await session.awaitWaiter();
      await sleep(300);
      const letGo = await session.letGo();
      for (const answer of await acquiring) {
        expect(answer).toMatchObject({ outcome: 'granted' });
        if (answer.outcome === 'granted')
          expect(answer.lease.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
      }
    });

    it.each([
      { meanwhile: 'taken', grantId: randomUUID(), timeLeft: '1 minute', outcome: 'busy' },
      { meanwhile: 'taken and released', grantId: null, timeLeft: '0', outcome: 'granted' },
    ])(
      'a released lock that was $meanwhile is $outcome',
      async ({ meanwhile, grantId, timeLeft, outcome }) => {
        const lockName = `shortcut:${meanwhile}`;
        for (let times = 0; times < 100; times++) {
          const asking = request(lockName);
          await store.acquire([asking]);
          await store.release([asking]);
        }
        await session.lockRow(lockName);
        const acquiring = store.acquire([request(lockName)]);
        await session.awaitWaiter();
        const [changed] = await session.query<{ token: string }>(
          `UPDATE dblock_lock SET token = token + 1000000000, grant_id = $2, worker_name = 'bob',
        expire_time = clock_timestamp() + $3::interval WHERE lock_name = $1 RETURNING token`,
          [lockName, grantId, timeLeft],
        );
        const letGo = await session.letGo();
        const answer = (await acquiring)[0]!;
        expect(answer.outcome).toBe(outcome);
        if (answer.outcome !== 'granted') return;
        expect(answer.lease.fencingToken).toBeGreaterThan(Number(changed!.token));
        expect(answer.lease.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
      },
    );

    it('a lease that expires while its renewal waits is lost', async () => {
      const { lockName, grantId } = request('expiring');
      await store.acquire([{ ...request('expiring', 2_000), grantId }]);
      await session.lockRow('expiring');
      const renewing = store.renew([{ lockName, grantId, ttl: 60_000 }]);
      await session.awaitWaiter();
      await session.awaitExpiry(lockName);
      await session.letGo();
      expect((await renewing)[0]!.outcome).not.toBe('renewed');
      expect((await store.inspect([lockName]))[0]!.state).toBe('expired');
    });

    it('a lease that expires while its release waits is over, whatever the release is told', async () => {
      const { lockName, grantId } = request('too-late');
      await store.acquire([{ ...request('too-late', 2_000), grantId }]);
      await session.lockRow('too-late');
      const releasing = store.release([{ lockName, grantId }]);
      await session.awaitWaiter();
      await session.awaitExpiry(lockName);
      await session.letGo();
      // Nobody else can have had the lock meanwhile: its row was locked all the time, and has not changed.
      expect((await releasing)[0]!.outcome).toBe('released');
      expect((await store.inspect([lockName]))[0]!.state).toBe('released');
    });

    it.each(RELEASES)(
      'a lease that a renewal under way keeps alive is not lost, when it is released $how',
      async ({ how, asked }) => {
        const lockName = `renewing:${how}`;
        const asking = request(lockName, 2_000);
        await store.acquire([asking]);
        // In time; but not committed before the end that it moves on.
        await session.query('BEGIN');
        await session.query(
          `UPDATE dblock_lock SET expire_time = clock_timestamp() + interval '1 minute' WHERE lock_name = $1`,
          [lockName],
        );
        await until('the lease looks expired', 30_000, async () => {
          return (await otherStore.inspect([lockName]))[0]!.state === 'expired';
        });
        const releasing = store.release([{ lockName, ...asked(asking.grantId) }]);
        await session.awaitWaiter();
        await session.letGo();
        expect((await releasing)[0]!.outcome).toBe('released');
        expect((await store.inspect([lockName]))[0]!.state).toBe('released');
      },
    );

    it('a lease that was renewed meanwhile is not given back', async () => {
      const asking = request('renewed');
      const [granted] = await store.acquire([asking]);
      const { version } = (granted as { lease: LeaseRecord }).lease;
      await session.lockRow('renewed');
      const givingBack = store.release([{ lockName: 'renewed', grantId: asking.grantId, version }]);
      await session.awaitWaiter();
      await session.query(
        `UPDATE dblock_lock SET expire_time = expire_time + interval '1 minute' WHERE lock_name = 'renewed'`,
      );
      await session.letGo();
      expect((await givingBack)[0]!.outcome).toBe('lost');
      expect((await store.inspect(['renewed']))[0]!.state).toBe('held');
    });

    it.each(RELEASES)(
      'a release $how that waits for the grant to somebody else is lost, and does not hurt that one',
      async ({ how, asked }) => {
        const lockName = `taken:${how}`;
        const asking = request(lockName);
        await store.acquire([asking]);
        await session.lockRow(lockName);
        const releasing = store.release([{ lockName, ...asked(asking.grantId) }]);
        await session.awaitWaiter();
        await session.query(
          `UPDATE dblock_lock SET grant_id = gen_random_uuid(), worker_name = 'bob', token = token + 1,
          expire_time = clock_timestamp() + interval '1 minute' WHERE lock_name = $1`,
          [lockName],
        );
        await session.letGo();
        expect((await releasing)[0]!.outcome).toBe('lost');
        expect(await store.inspect([lockName])).toMatchObject([{ state: 'held', workerName: 'bob' }]);
      },
    );

    it.each(RELEASES)('a release $how of what somebody else has waits for nobody', async ({ how, asked }) => {
      const lockName = `others:${how}`;
      await store.acquire([{ ...request(lockName), workerName: 'bob' }]);
      await session.lockRow(lockName);
      const [answer] = await otherStore.release([{ lockName, ...asked(randomUUID()) }]);
      await session.letGo();
      expect(answer!.outcome).toBe('lost');
    });

    it('a lease that expires while it waits to be passed on is over, and the successor has the lock', async () => {
      const ended = request('passed', 2_000);
      const successor = { ...request('passed'), ticket: 1, workerName: 'bob' };
      await store.acquire([ended]);
      await session.lockRow('passed');
      const passing = store.queue!.pass(randomUUID(), [
        { lockName: 'passed', grantId: ended.grantId, successor },
      ]);
      await session.awaitWaiter();
      await session.awaitExpiry('passed');
      const letGo = await session.letGo();
      const answer = (await passing)[0]!;
      expect(answer).toMatchObject({ outcome: 'passed', lease: { workerName: 'bob' } });
      if (answer.outcome === 'passed')
        expect(answer.lease.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
    });

    it('only that lock gets an error; the others of its batch are answered', async () => {
      await (await apps[1]!.get(LockClient).acquire('stuck')).release();
      await session.lockRow('stuck');
      const names = ['a', 'stuck', 'z'];
      const answers = await otherStore.acquire(names.map((name) => request(name)));
      await session.letGo();
      expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'error', 'granted']);
      expect((answers[1] as { error: Error }).error).toBeInstanceOf(StoreUnavailableError);
    });

    it('those who share other locks are told of their own leases, however they stand in the batch', async () => {
      const names = ['jammed', 'one', 'other'];
      for (const name of names) await (await apps[1]!.get(LockClient).acquire(name)).release();
      await session.lockRow('jammed');
      const requests = Array.from({ length: 9 }, (_, index) => ({
        ...request(names[index % names.length]!),
        share: { permits: 1, limit: null },
      }));
      const answers = await otherStore.shared!.acquire(requests);
      await session.letGo();
      expect(answers).toMatchObject(
        requests.map(({ lockName, grantId }) =>
          lockName === 'jammed' ? { outcome: 'error' } : { outcome: 'granted', lease: { lockName, grantId } },
        ),
      );
    });

    it('a busy lock is refused by a plain read, which waits for nobody', async () => {
      await locks.acquire('busy', { ttl: '60s' });
      await session.lockRow('busy');
      expect((await otherStore.acquire([request('busy')]))[0]!.outcome).toBe('busy');
      await session.letGo();
    });

    it('a repeat that arrives late is a repeat, also when its grant came up while it waited', async () => {
      const { lockName, grantId } = request('z-repeated');
      await (await locks.acquire('a-stuck')).release();
      await (await locks.acquire(lockName)).release();
      await session.lockRow('a-stuck');
      const late = store.acquire([request('a-stuck'), { ...request(lockName), grantId }]);
      await session.awaitWaiter();
      const [first] = await otherStore.acquire([{ ...request(lockName), grantId }]);
      await session.letGo();
      // Otherwise a server whose caller has gone would give back what another caller has got.
      expect(first).toMatchObject({ outcome: 'granted', repeated: false });
      expect((await late)[1]).toMatchObject({ outcome: 'granted', repeated: true });
    });

    it('likewise in a set of locks', async () => {
      const { lockName, grantId } = request('z-repeated-set');
      for (const name of ['a-stuck-set', lockName]) await (await locks.acquire(name)).release();
      await session.lockRow('a-stuck-set');
      const common = { ...request(lockName), grantId };
      const late = store.acquireSet([{ ...common, lockName: 'a-stuck-set' }, common]);
      await session.awaitWaiter();
      await otherStore.acquire([common]);
      await session.letGo();
      const answer = await late;
      expect(answer.outcome).toBe('granted');
      const [held] = await store.inspect([lockName]);
      expect(held).toMatchObject({ state: 'held' });
    });

    it('an acquire never waits for a row that it does not need', async () => {
      await (await locks.acquire('unneeded')).release();
      await session.lockRow('unneeded');
      await (await locks.acquire('needed')).release();
      await session.letGo();
    });
  },
);

describe('a table that is locked as a whole', () => {
  it('fails a batch soon, instead of waiting for each of its locks in turn', async () => {
    const database = await createTestDatabase();
    const app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{ statementTimeout: '1s' }],
    });
    const session = await BlockingSession.open(database.url);
    await session.lockTable();
    const requests = Array.from({ length: 200 }, (_, index) => request(`all:${index}`)); // minutes, in turn
    const answers = await app.get<LockStore>(LOCK_STORE).acquire(requests);
    expect(answers.filter(({ outcome }) => outcome === 'error')).toHaveLength(200);
    await session.letGo();
    await session.close();
    await app.close();
    await database.drop();
  });
});

describe('batches that overlap', () => {
  it('never deadlock, in whatever order their names come', async () => {
    const database = await createTestDatabase();
    // No row is given up because the machine stood still while it was locked.
    const connection = { type: 'postgres' as const, url: database.url, driver: tamperedPostgres(PATIENT) };
    const features = [{ statementTimeout: '60s' }];
    const apps = await Promise.all(
      [1, 2, 3].map(() => createLockApplication({ database: connection, features })),
    );
    const stores = apps.map((app) => app.get<LockStore>(LOCK_STORE));
    const names = Array.from({ length: 300 }, (_, index) => `overlap:${index}`);

    const churn = async (store: LockStore, seed: number) => {
      for (let round = 0; round < 40; round++) {
        const shuffled = [...names].sort((a, b) => rank(a, seed + round) - rank(b, seed + round));
        const requests = shuffled.map((name) => request(name));
        const answers = await store.acquire(requests);
        const granted = requests.filter((_, index) => answers[index]!.outcome === 'granted');
        const endings = [...(await store.renew(granted)), ...(await store.release([...granted].reverse()))];
        for (const { outcome } of [...answers, ...endings]) expect(outcome).not.toBe('error');
      }
    };
    await Promise.all(stores.map((store, index) => churn(store, index * 1000)));

    for (const app of apps) await app.close();
    // A statement that met a deadlock was rolled back and repeated.
    const session = await BlockingSession.open(database.url);
    const [stats] = await session.query<{ rollbacks: string }>(
      'SELECT xact_rollback AS rollbacks FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(Number(stats!.rollbacks)).toBe(0);
    await session.close();
    await database.drop();
  });
});

/** A pseudo-random rank of a name, another one for each seed. */
function rank(name: string, seed: number): number {
  let hash = seed;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0)!, 2654435761);
  return hash >>> 0;
}

describe("the caller's own transaction", () => {
  it('is untouched, and neither holds a lock back nor takes it along when it rolls back', async () => {
    const database = await createTestDatabase();
    const app = await createLockApplication({
      database: { type: 'postgres', url: database.url, poolSize: 1 },
    });
    const session = await BlockingSession.open(database.url);
    const locks = app.get(LockClient);
    const { DataSource } = await import('typeorm');
    const dataSource = app.get(DataSource);
    await dataSource.query('CREATE TABLE work (id int)');

    const rolledBack = dataSource.transaction(async (manager) => {
      await manager.query('INSERT INTO work VALUES (1)');
      const lease = await locks.acquire('in-transaction');
      const [seen] = await session.query<{ grant_id: string }>(
        `SELECT grant_id FROM dblock_lock WHERE lock_name = 'in-transaction'`,
      );
      expect(seen!.grant_id).toBe(lease.grantId);
      const [transaction] = (await manager.query('SELECT count(*)::int AS rows FROM work')) as Array<{
        rows: number;
      }>;
      expect(transaction!.rows).toBe(1);
      throw new Error('roll back');
    });
    await expect(rolledBack).rejects.toThrow('roll back');

    expect(await dataSource.query('SELECT * FROM work')).toEqual([]);
    expect((await app.get(LockServer).inspect('in-transaction'))?.state).toBe('held');
    await session.close();
    await app.close();
    await database.drop();
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomInt, randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { PATIENT } from '../faults/tampered-mariadb.js';
import type { Share } from '../../libs/db-lock/src/lease/modes.js';
import type { ReleaseByGrant, SharedRequest } from '../../libs/db-lock/src/lease/requests.js';
import type { AcquireAnswer, LeaseRecord, LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { Connections } from '../../libs/db-lock/src/store/mysql/connections.js';
import { FAULTS, RolledBackError } from '../../libs/db-lock/src/store/mysql/errors.js';
import { Lane } from '../../libs/db-lock/src/store/mysql/lane.js';
import type { SharedLocks } from '../../libs/db-lock/src/store/shared-locks.js';
import {
  createMariadbDatabase,
  describeWithMariadb,
  queryMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { MariadbSession } from '../support/mariadb-session.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';
import { until } from '../support/patience.js';

const PATIENCE = 30_000;

const HOUR = 3_600_000;

const sharedOf = (lockName: string, share: Partial<Share> = {}, ttl = HOUR): SharedRequest => ({
  ...requestOf(lockName, ttl),
  share: { permits: 1, limit: null, ...share },
});

const leaseOf = (answer: AcquireAnswer | undefined): LeaseRecord => {
  if (answer?.outcome !== 'granted') throw new Error(`It is ${answer?.outcome}.`);
  return answer.lease;
};

const outcomes = (answers: ReadonlyArray<{ outcome: string }>) => answers.map(({ outcome }) => outcome);

/** A database with several stores over it, and a session of somebody else. */
function useDatabase(options: Parameters<typeof openMariadbHosts>[2] = {}) {
  let database: MariadbDatabase;
  let hosts: MariadbHost[];
  let patientHosts: MariadbHost[];
  let session: MariadbSession;

  beforeAll(async () => {
    database = await createMariadbDatabase();
    // As MySQL has it.
    await queryMariadb(database.url, 'SET GLOBAL group_concat_max_len = 1024');
    hosts = await openMariadbHosts(database.url, 2, options);
    patientHosts = await openMariadbHosts(database.url, 2, { ...options, statementTimeout: '60s' }, PATIENT);
    session = await MariadbSession.open(database.url);
  });

  afterEach(() => session.query('ROLLBACK'));

  afterAll(async () => {
    await session.close();
    for (const { app } of [...hosts, ...patientHosts]) await app.close();
    await database.drop();
  });

  const store = (index = 0) => hosts[index]!.store;
  return {
    url: () => database.url,
    session: () => session,
    store,
    /** One that waits for a row for as long as the test likes, also where the machine is slow. */
    patient: (index = 0) => patientHosts[index]!.store,
    acquire: (...requests: SharedRequest[]) => store().shared!.acquire(requests),
    async lease(request: SharedRequest): Promise<LeaseRecord> {
      return leaseOf((await store().shared!.acquire([request]))[0]);
    },
    lockOf: async (lockName: string) => (await store().inspect([lockName]))[0],
    holderRows: (lockName: string) =>
      session.query<{ grant_id: string; token: string }>(
        'SELECT grant_id, token FROM dblock_holder WHERE lock_name = ? ORDER BY token',
        [lockName],
      ),
    /** Makes the leases of a lock's holders end so much later, whatever its own row says. */
    lengthen: (lockName: string, milliseconds: number) =>
      session.query('UPDATE dblock_holder SET expire_time = expire_time + ? WHERE lock_name = ?', [
        milliseconds * 1000,
        lockName,
      ]),
    expired: (lockName: string) =>
      until('it has expired', PATIENCE, async () => {
        return (await store().inspect([lockName]))[0]?.state === 'expired';
      }),
    status: async (name: string) => {
      const [row] = await session.query<{ Value: string }>(`SHOW GLOBAL STATUS LIKE '${name}'`);
      return Number(row!.Value);
    },
  };
}

describeWithMariadb('On MariaDB, leases that share a lock', () => {
  const scene = useDatabase();
  const { store, patient, acquire, lease, lockOf, holderRows, lengthen, expired, status } = scene;

  describe('are as many as fit', () => {
    /** Counts what is taken, from when it is granted until it is given back. */
    class Watched {
      permits = 0;
      writers = 0;
      grants = 0;
      readonly faults: string[] = [];
      readonly tokens = new Set<number>();

      enter({ share, fencingToken }: LeaseRecord): void {
        this.grants++;
        if (this.tokens.has(fencingToken)) this.faults.push(`${fencingToken} was given twice`);
        this.tokens.add(fencingToken);
        if (this.writers > 0 || (!share && this.permits > 0)) this.faults.push('a writer is not alone');
        if (!share) return void this.writers++;
        this.permits += share.permits;
        if (share.limit !== null && this.permits > share.limit)
          this.faults.push(`${this.permits} permits of ${share.limit}`);
      }

      leave({ share }: LeaseRecord): void {
        if (share) this.permits -= share.permits;
        else this.writers--;
      }
    }

    it.each([
      { what: 'a semaphore', writers: 0, limit: 5 },
      { what: 'a lock of readers and writers', writers: 0.3, limit: null },
      { what: 'a semaphore that is taken alone, too', writers: 0.1, limit: 4 },
    ])('where two stores hammer $what', async ({ what, writers, limit }) => {
      const watched = new Watched();
      const shared = () =>
        Array.from({ length: randomInt(1, 4) }, () => sharedOf(what, { permits: randomInt(1, 4), limit }));
      /** Whose answer is unknown asks again: on a busy machine, a row may be waited for in vain. */
      const end = async (
        locks: Pick<LockStore | SharedLocks, 'release'>,
        key: ReleaseByGrant,
        mayBeOver: boolean,
      ) => {
        const [answer] = await locks.release([key]);
        if (answer?.outcome === 'error') await end(locks, key, true);
        if (answer?.outcome === 'lost' && !mayBeOver) watched.faults.push('a live lease is lost');
      };
      const asks = async (index: number) => {
        const whole = store(index % 2);
        while (watched.grants < 150) {
          const isAlone = Math.random() < writers;
          const [alone, together] = [[requestOf(what)], shared()];
          const answers = await (isAlone ? whole.acquire(alone) : whole.shared!.acquire(together));
          const got = answers.flatMap((answer) => (answer.outcome === 'granted' ? [answer.lease] : []));
          got.forEach((one) => watched.enter(one));
          await new Promise(setImmediate);
          got.forEach((one) => watched.leave(one));
          for (const [place, { outcome }] of answers.entries()) {
            const { lockName, grantId } = (isAlone ? alone : together)[place]!;
            if (outcome !== 'busy')
              await end(isAlone ? whole : whole.shared!, { lockName, grantId }, outcome === 'error');
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, index) => asks(index)));
      expect(watched.faults).toEqual([]);
      expect(await lockOf(what)).toMatchObject({ state: 'released', holders: [] });
      expect(await holderRows(what)).toEqual([]);
    });

    it('as they are when the row of the lock is locked, however long that took', async () => {
      const name = 'race';
      const before = await lease(sharedOf(name, { limit: 1 }));
      await store().shared!.release([before]);
      await scene.session().lockRow(name);
      const asking = patient().shared!.acquire([
        sharedOf(name, { limit: 1 }),
        sharedOf(name, { limit: 2, permits: 2 }),
      ]);
      await scene.session().awaitWaiter();
      // Somebody else gets it meanwhile, by the same rules.
      await scene.session().query(
        `INSERT INTO dblock_holder (lock_name, grant_id, worker_name, token, permits, lock_time, expire_time)
          SELECT lock_name, ?, 'other', token + 1, 1, expire_time, expire_time + 3600000000 FROM dblock_lock WHERE lock_name = ?`,
        [randomUUID(), name],
      );
      await scene.session().query(
        `UPDATE dblock_lock SET grant_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff', worker_name = 'other',
          token = token + 1, expire_time = expire_time + 3600000000, row_version = 7 WHERE lock_name = ?`,
        [name],
      );
      await scene.session().letGo();
      expect(await asking).toMatchObject([
        { outcome: 'busy', holder: { workerName: 'other' } },
        { outcome: 'busy', holder: { workerName: 'other' } },
      ]);
      expect((await lockOf(name))?.sharing).toEqual({ holders: 1, permits: 1, limits: [] });
    });

    it('with tokens that go upwards from that of the lock, within one batch, too', async () => {
      const name = 'tokens';
      const before = leaseOf((await store().acquire([requestOf(name)]))[0]);
      await scene
        .session()
        .query('UPDATE dblock_lock SET token = token + 3600000000 WHERE lock_name = ?', [name]);
      await store().release([before]);
      const answers = await acquire(...Array.from({ length: 20 }, () => sharedOf(name)));
      const first = before.fencingToken + 3_600_000_001;
      expect(answers.map((answer) => leaseOf(answer).fencingToken)).toEqual(
        answers.map((_, index) => first + index),
      );
      expect((await lockOf(name))?.fencingToken).toBe(first + 19);
    });
  });

  describe('while somebody else has locked the row of the lock', () => {
    it('are refused at once where it is full, or somebody has it alone', async () => {
      await lease(sharedOf('full', { limit: 1 }));
      await store().acquire([requestOf('alone')]);
      await scene.session().lockRow('full');
      await scene.session().query("SELECT 1 FROM dblock_lock WHERE lock_name = 'alone' FOR UPDATE");
      const before = await status('Innodb_row_lock_waits');
      expect(outcomes(await acquire(sharedOf('full', { limit: 1 }), sharedOf('alone')))).toEqual([
        'busy',
        'busy',
      ]);
      const set = [sharedOf('beside'), { ...sharedOf('full', { limit: 1 }), ticket: null }];
      expect(await store().acquireSet(set)).toMatchObject({
        outcome: 'busy',
        holder: { lockName: 'full' },
      });
      expect(await lockOf('beside')).toBeNull();
      expect(await status('Innodb_row_lock_waits')).toBe(before);
    });

    it('wait for it together, and end with an error; others of the batch are told of their own leases', async () => {
      const names = ['locked', 'one', 'other'];
      for (const name of names) await store().shared!.release([await lease(sharedOf(name))]);
      await scene.session().lockRow('locked');
      const before = await status('Innodb_row_lock_waits');
      const requests = Array.from({ length: 12 }, (_, index) => sharedOf(names[index % names.length]!));
      expect(await acquire(...requests)).toMatchObject(
        requests.map(({ lockName, grantId }) =>
          lockName === 'locked' ? { outcome: 'error' } : { outcome: 'granted', lease: { lockName, grantId } },
        ),
      );
      expect(await status('Innodb_row_lock_waits')).toBe(before + 2);
      expect(await scene.session().othersOpen()).toBe(0);
      await scene.session().letGo();
      expect(await lockOf('locked')).toMatchObject({ state: 'released' });
    });

    it('are neither renewed nor released nor downgraded, and none is lost', async () => {
      const name = 'untouched';
      const held = await lease(sharedOf(name));
      const alone = leaseOf((await store().acquire([requestOf('untouched alone')]))[0]);
      await scene.session().lockRow(name);
      await scene.session().query("SELECT 1 FROM dblock_lock WHERE lock_name = 'untouched alone' FOR UPDATE");
      const shared = store().shared!;
      const answers = await Promise.all([
        shared.renew([{ ...held, ttl: 2 * HOUR }]),
        shared.release([held]),
        shared.downgrade([{ ...alone, share: { permits: 1, limit: null } }]),
        store().desk.forceRelease([{ lockName: name, actor: 'eve', reason: 'test' }]),
      ]);
      expect(outcomes(answers.flat())).toEqual(['error', 'error', 'error', 'error']);
      expect(await scene.session().othersOpen()).toBe(0);
      await scene.session().letGo();
      expect((await lockOf(name))?.holders).toMatchObject([{ expireTime: held.expireTime }]);
      expect(outcomes(await shared.release([held]))).toEqual(['released']);
    });

    it('begin when it is locked, and are renewed by the clock of then', async () => {
      const name = 'late';
      const held = await lease(sharedOf(name, {}, 2_000));
      await scene.session().lockRow(name);
      const late = patient().shared!.acquire([sharedOf(name, {}, 5_000)]);
      const renewing = patient(1).shared!.renew([{ ...held, ttl: HOUR }]);
      await scene.session().awaitWaiters(2);
      await until('it has expired', PATIENCE, async () => (await lockOf(name))?.state === 'expired');
      const letGo = await scene.session().letGo();
      expect(outcomes(await renewing)).toEqual(['lost']);
      const granted = leaseOf((await late)[0]);
      expect(granted.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
      expect(granted.expireTime.getTime() - granted.lockTime.getTime()).toBe(5_000);
    });

    it('are released though they run out while the release waits', async () => {
      const name = 'released late';
      const held = await lease(sharedOf(name, {}, 2_000));
      await scene.session().lockRow(name);
      const releasing = patient().shared!.release([held]);
      await scene.session().awaitWaiter();
      await until('it has expired', PATIENCE, async () => (await lockOf(name))?.state === 'expired');
      await scene.session().letGo();
      expect(outcomes(await releasing)).toEqual(['released']);
      expect(await lockOf(name)).toMatchObject({ state: 'released' });
    });

    it('leave nothing of a set of which one was taken meanwhile', async () => {
      await store().shared!.release([await lease(sharedOf('set: taken', { limit: 1 }))]);
      await scene.session().lockRow('set: taken');
      const grantId = randomUUID();
      const set = [requestOf('set: new'), sharedOf('set: also new'), sharedOf('set: taken', { limit: 1 })];
      const asking = patient().acquireSet(set.map((request) => ({ ...request, grantId, ticket: null })));
      await scene.session().awaitWaiter();
      await scene.session().query(
        `UPDATE dblock_lock SET grant_id = ?, worker_name = 'other', expire_time = expire_time + 3600000000
          WHERE lock_name = 'set: taken'`,
        [randomUUID()],
      );
      await scene.session().letGo();
      expect(await asking).toMatchObject({ outcome: 'busy', holder: { workerName: 'other' } });
      expect(await store().inspect(['set: new', 'set: also new'])).toEqual([null, null]);
      expect(await scene.session().othersOpen()).toBe(0);
    });

    it('are granted after a deadlock with somebody else', async () => {
      const names = ['dead:1', 'dead:2'] as const;
      for (const name of names) await store().shared!.release([await lease(sharedOf(name))]);
      await scene
        .session()
        .query('CREATE TABLE weight (id int PRIMARY KEY AUTO_INCREMENT, text varchar(10)) ENGINE = InnoDB');
      const before = await status('Innodb_deadlocks');
      await scene.session().lockRow('dead:2');
      // The one that has written less is given up: that must be ours.
      await scene.session().query("INSERT INTO weight (text) SELECT 'x' FROM seq_1_to_200");
      const asking = patient().shared!.acquire(names.map((name) => sharedOf(name, { limit: 1 })));
      await scene.session().awaitWaiter();
      await scene.session().query("SELECT 1 FROM dblock_lock WHERE lock_name = 'dead:1' FOR UPDATE");
      expect(await status('Innodb_deadlocks')).toBe(before + 1);
      await scene.session().letGo();
      expect(outcomes(await asking)).toEqual(['granted', 'granted']);
      for (const name of names) expect(await holderRows(name)).toHaveLength(1);
    });
  });

  describe('that are over never come to life again', () => {
    /** A grant of today among rows of before, which the clock does not show to be over. */
    const isAlone = async (name: string, old: LeaseRecord) => {
      const { grantId } = await lease(sharedOf(name, { limit: 1 }));
      expect((await lockOf(name))?.sharing).toEqual({ holders: 1, permits: 1, limits: [1] });
      expect(await holderRows(name)).toMatchObject([{ grant_id: grantId }]);
      const shared = store().shared!;
      expect(outcomes(await shared.renew([{ ...old, ttl: HOUR }]))).toEqual(['lost']);
      expect(outcomes(await shared.release([old]))).toEqual(['lost']);
      const downgrade = { ...old, share: { permits: 1, limit: null } };
      expect(outcomes(await shared.downgrade([downgrade]))).toEqual(['lost']);
      expect(await holderRows(name)).toMatchObject([{ grant_id: grantId }]);
    };

    it('when another had the lock alone since', async () => {
      const name = 'revival: writer';
      const old = await lease(sharedOf(name, {}, 1));
      await expired(name);
      const writer = leaseOf((await store().acquire([requestOf(name)]))[0]);
      await lengthen(name, HOUR);
      expect(outcomes(await store().shared!.renew([{ ...old, ttl: HOUR }]))).toEqual(['lost']);
      expect(outcomes(await acquire(sharedOf(name)))).toEqual(['busy']);
      await store().release([writer]);
      await isAlone(name, old);
    });

    it('when the lock is downgraded that another had alone since', async () => {
      const name = 'revival: downgrade';
      const old = await lease(sharedOf(name, {}, 1));
      await expired(name);
      const writer = leaseOf((await store().acquire([requestOf(name)]))[0]);
      await lengthen(name, HOUR);
      const [answer] = await store().shared!.downgrade([{ ...writer, share: { permits: 2, limit: 3 } }]);
      expect(answer).toMatchObject({ outcome: 'downgraded', repeated: false });
      expect(await holderRows(name)).toMatchObject([{ grant_id: writer.grantId }]);
      expect(outcomes(await store().shared!.renew([{ ...old, ttl: HOUR }]))).toEqual(['lost']);
    });

    it('when all have expired', async () => {
      const name = 'revival: expired';
      const old = await lease(sharedOf(name, {}, 1));
      await expired(name);
      await lengthen(name, HOUR);
      await isAlone(name, old);
    });

    it('when it was marked as released', async () => {
      const name = 'revival: cleared';
      const old = await lease(sharedOf(name, {}, 1));
      await expired(name);
      await store().desk.clearExpired();
      await lengthen(name, HOUR);
      await isAlone(name, old);
    });

    it('when its row was removed', async () => {
      const name = 'revival: removed';
      const old = await lease(sharedOf(name));
      await scene.session().query('DELETE FROM dblock_lock WHERE lock_name = ?', [name]);
      await isAlone(name, old);
    });

    it('while others go on, with the next grant', async () => {
      const name = 'revival: beside others';
      await lease(sharedOf(name));
      const old = await lease(sharedOf(name, {}, 1));
      await until('it has expired', PATIENCE, async () => (await lockOf(name))?.sharing?.holders === 1);
      const [answer] = await acquire(sharedOf(name));
      expect(answer).toMatchObject({
        alsoExpired: [{ workerName: 'ann', fencingToken: old.fencingToken }],
      });
      await lengthen(name, HOUR);
      expect(outcomes(await store().shared!.renew([{ ...old, ttl: HOUR }]))).toEqual(['lost']);
      expect(await holderRows(name)).toHaveLength(2);
    });
  });

  it('are ended by nobody who knows only the worker', async () => {
    const held = await lease(sharedOf('by worker'));
    const { lockName, workerName } = held;
    expect(outcomes(await store().release([{ lockName, workerName }]))).toEqual(['lost']);
    expect((await lockOf(lockName))?.sharing?.holders).toBe(1);
    expect(outcomes(await store().shared!.renew([{ ...held, ttl: HOUR }]))).toEqual(['renewed']);
  });

  it('are ended and renewed each once, though a batch says it twice', async () => {
    const name = 'twice';
    const [one, other] = (await acquire(sharedOf(name, {}, 1_000), sharedOf(name))).map(leaseOf);
    const shared = store().shared!;
    const renewed = await shared.renew([
      { ...one!, ttl: HOUR },
      { ...one!, ttl: 2 * HOUR },
      { ...other!, ttl: 1_000, held: { ...other!, fencingToken: other!.fencingToken + 1 } },
      { ...other!, ttl: 1_000 },
    ]);
    expect(outcomes(renewed)).toEqual(['renewed', 'renewed', 'lost', 'renewed']);
    expect(renewed[1]?.outcome === 'renewed' && renewed[1].lease.timeLeft).toBeGreaterThan(HOUR);
    expect(renewed[3]).toMatchObject({ lease: { expireTime: other!.expireTime } });
    expect((await lockOf(name))?.expireTime.getTime()).toBeGreaterThan(other!.expireTime.getTime());
    const key = { lockName: name, grantId: one!.grantId };
    expect(outcomes(await shared.release([key, { ...other!, version: '1' }, key]))).toEqual([
      'released',
      'lost',
      'lost',
    ]);
    expect(await lockOf(name)).toMatchObject({
      fencingToken: other!.fencingToken,
      expireTime: other!.expireTime,
      sharing: { holders: 1 },
    });
  });

  it('are told as expired to the next one, though a release of theirs came too late', async () => {
    const name = 'late release';
    const late = await lease(sharedOf(name, {}, 1));
    await expired(name);
    expect(outcomes(await store().shared!.release([late]))).toEqual(['lost']);
    expect((await lockOf(name))?.state).toBe('expired');
    expect(await acquire(sharedOf(name))).toMatchObject([
      { outcome: 'granted', alsoExpired: [{ lockName: name, fencingToken: late.fencingToken }] },
    ]);
  });

  it('are given back only as long as nobody has repeated or renewed them', async () => {
    const name = 'versions';
    const requests = [sharedOf(name), sharedOf(name), sharedOf(name)] as const;
    const [untouched, repeated, renewed] = (await acquire(...requests)).map(leaseOf);
    expect(await acquire(requests[1])).toMatchObject([
      { outcome: 'granted', repeated: true, lease: { fencingToken: repeated!.fencingToken } },
    ]);
    await store().shared!.renew([{ ...renewed!, ttl: 1 }]);
    expect(outcomes(await store().shared!.release([untouched!, repeated!, renewed!]))).toEqual([
      'released',
      'lost',
      'lost',
    ]);
  });

  it('keep their permits for minHold, under keys that nobody knows', async () => {
    const name = 'minHold';
    const held = (await acquire(...[2, 3].map((permits) => sharedOf(name, { permits })))).map(leaseOf);
    await store().shared!.release(
      held.map(({ lockName, grantId }) => ({ lockName, grantId, minHold: HOUR })),
    );
    const rows = await holderRows(name);
    expect(
      new Set([...rows, ...held.map(({ grantId }) => ({ grant_id: grantId }))].map((row) => row.grant_id)),
    ).toHaveProperty('size', 4);
    for (const row of rows) {
      const key = { lockName: name, grantId: row.grant_id };
      expect(outcomes(await store().shared!.release([key]))).toEqual(['lost']);
      expect(outcomes(await store().shared!.renew([{ ...key, ttl: HOUR }]))).toEqual(['lost']);
    }
    const asked = [5, 6].map((limit) => sharedOf(name, { limit }));
    expect(outcomes(await acquire(...asked))).toEqual(['busy', 'granted']);
    expect(outcomes(await acquire({ ...sharedOf(name), grantId: held[0]!.grantId }))).toEqual(['granted']);
  });

  it('have their answers where the database refuses what one of them writes', async () => {
    await scene.session().query(
      `CREATE TRIGGER poison BEFORE INSERT ON dblock_holder FOR EACH ROW
        IF NEW.worker_name = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'; END IF`,
    );
    const requests = Array.from({ length: 9 }, (_, index) => ({
      ...sharedOf(index === 8 ? 'elsewhere' : 'poisoned', { limit: 7 }),
      workerName: index === 4 ? 'poison' : 'ann',
    }));
    const answers = await acquire(...requests);
    await scene.session().query('DROP TRIGGER poison');
    expect(outcomes(answers)).toEqual(
      requests.map(({ workerName }) => (workerName === 'ann' ? 'granted' : 'error')),
    );
    expect((await lockOf('poisoned'))?.sharing?.holders).toBe(7);
  });

  it('are told to the server whose waiter is first, wants to share the lock and fits', async () => {
    const [here, there] = [randomUUID(), randomUUID()];
    const names = ['room', 'full', 'writer', 'elsewhere', 'nobody'].map((name) => `freed: ${name}`);
    const [room, full, writer, elsewhere] = names as [string, string, string, string, string];
    await acquire(...names.map((name) => sharedOf(name, { permits: 2 })));
    const waiter = (lockName: string, share?: Share) => ({ ...requestOf(lockName), ticket: null, share });
    await store().queue!.join(there, [waiter(elsewhere, { permits: 1, limit: null })]);
    await store().queue!.join(here, [
      waiter(room, { permits: 1, limit: 3 }),
      waiter(full, { permits: 2, limit: 3 }),
      waiter(writer),
      waiter(writer, { permits: 1, limit: null }),
      waiter(elsewhere, { permits: 1, limit: null }),
    ]);
    expect(await store().queue!.freed!(here, names)).toEqual([room]);
    expect(await store().queue!.freed!(there, names)).toEqual([elsewhere]);
  });

  it('tell of the next in line, not of one who wants the lock alone while others share it', async () => {
    const name = 'next';
    const [one, other] = (await acquire(sharedOf(name), sharedOf(name))).map(leaseOf);
    const server = randomUUID();
    const writer = { ...requestOf(name), ticket: null };
    await store().queue!.join(server, [writer]);
    const shared = store().shared!;
    expect(await shared.release([one!])).toMatchObject([{ outcome: 'released', next: null }]);
    expect(await shared.release([other!])).toMatchObject([
      { outcome: 'released', next: { server, grantId: writer.grantId } },
    ]);
  });

  it('go from the table when they have been over for long', async () => {
    const name = 'removed';
    const live = await lease(sharedOf(name));
    const old = await lease(sharedOf(name, {}, 1));
    await until('it has expired', PATIENCE, async () => (await lockOf(name))?.sharing?.holders === 1);
    await store().removeIdle(60_000);
    expect(await holderRows(name)).toHaveLength(2);
    await scene
      .session()
      .query('UPDATE dblock_holder SET expire_time = expire_time - 61000000 WHERE grant_id = ?', [
        old.grantId,
      ]);
    await store().removeIdle(60_000);
    expect(await holderRows(name)).toMatchObject([{ grant_id: live.grantId }]);
  });

  describe('are seen and changed by operators', () => {
    const act = { actor: 'eve', reason: 'it hangs' };

    it('who end one of them, or all; each is recorded', async () => {
      const name = 'desk: force';
      const shares = [{ permits: 2 }, { limit: 9 }, {}];
      const held = (await acquire(...shares.map((share) => sharedOf(name, share)))).map(leaseOf);
      const token = held[2]!.fencingToken;
      const { desk, history } = store();
      const [one] = await desk.forceRelease([{ lockName: name, ...act, fencingToken: token }]);
      expect(one).toMatchObject({ outcome: 'forced', holders: [{ grantId: held[2]!.grantId }] });
      expect(await lockOf(name)).toMatchObject({ fencingToken: token, sharing: { holders: 2 } });
      expect(await desk.forceRelease([{ lockName: name, ...act, fencingToken: token }])).toEqual([
        { outcome: 'changed' },
      ]);
      const server = randomUUID();
      await store().queue!.join(server, [{ ...requestOf(name), ticket: null }]);
      expect(await desk.forceRelease([{ lockName: name, ...act }])).toMatchObject([
        {
          outcome: 'forced',
          holders: [held[1], held[0]].map((one) => ({ grantId: one!.grantId, share: one!.share })),
          next: { server },
        },
      ]);
      const after = await lockOf(name);
      expect(after).toMatchObject({ state: 'released', holders: [] });
      expect(after!.fencingToken).toBeGreaterThan(token);
      expect(await holderRows(name)).toEqual([]);
      const recorded = await history.of(name, { limit: 10 });
      expect(
        recorded.map(({ event, fencingToken, details, actor }) => [event, fencingToken, details, actor]),
      ).toEqual([
        ['forced', held[1]!.fencingToken, { mode: 'shared', permits: 1, limit: 9 }, 'eve'],
        ['forced', held[0]!.fencingToken, { mode: 'shared', permits: 2 }, 'eve'],
        ['forced', held[2]!.fencingToken, { mode: 'shared', permits: 1 }, 'eve'],
      ]);
    });

    it('who change one of them, which its lock follows', async () => {
      const name = 'desk: edit';
      const [one, other] = (await acquire(sharedOf(name, {}, 2 * HOUR), sharedOf(name))).map(leaseOf);
      const { desk, history } = store();
      const edit = { lockName: name, ...act };
      const edited = await desk.edit({
        ...edit,
        fencingToken: one!.fencingToken,
        ttl: 60_000,
        metadata: { a: 1 },
      });
      if (edited.outcome !== 'edited') throw new Error(`It is ${edited.outcome}.`);
      expect(edited.lease).toMatchObject({ grantId: one!.grantId, metadata: { a: 1 }, share: one!.share });
      expect(edited.lease.timeLeft).toBeLessThanOrEqual(60_000);
      expect(await lockOf(name)).toMatchObject({ expireTime: other!.expireTime, metadata: null });
      const [record] = await history.of(name, { limit: 1 });
      expect(record).toMatchObject({
        event: 'edited',
        fencingToken: one!.fencingToken,
        details: {
          expireTime: { from: one!.expireTime.toISOString(), to: edited.lease.expireTime.toISOString() },
          metadata: { from: null, to: { a: 1 } },
        },
      });
      await desk.edit({ ...edit, fencingToken: other!.fencingToken, metadata: { b: 2 } });
      expect(await lockOf(name)).toMatchObject({ metadata: { b: 2 } });
      expect(outcomes(await store().shared!.release([other!]))).toEqual(['lost']);
      const unknown = other!.fencingToken + 1;
      expect(await desk.edit({ ...edit, fencingToken: unknown, ttl: 1 })).toEqual({ outcome: 'changed' });
    });

    it('who change one at the same time, each by what the one before has made of it', async () => {
      const name = 'desk: edits';
      const held = await lease(sharedOf(name));
      const edits = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          store(n % 2).desk.edit({
            lockName: name,
            fencingToken: held.fencingToken,
            metadata: { n },
            ...act,
          }),
        ),
      );
      expect(new Set(outcomes(edits))).toEqual(new Set(['edited']));
      const recorded = (await store().history.of(name, { limit: 20 })).toReversed();
      const changes = recorded.map(({ details }) => details!['metadata'] as Record<'from' | 'to', unknown>);
      expect(changes.map(({ from }) => from)).toEqual([null, ...changes.slice(0, -1).map(({ to }) => to)]);
    });

    it('who see them in lists, whatever else is there', async () => {
      await acquire(
        ...[7, 3, 3].map((limit) => sharedOf('list: shared', { permits: 1, limit })),
        sharedOf('list: readers', { permits: 4 }),
      );
      await store().acquire([requestOf('list: alone')]);
      const query = { prefix: 'list: ', sort: 'lockName', order: 'asc', page: 1, pageSize: 10 } as const;
      expect(
        (await store().desk.page(query)).items.map(({ lockName, sharing }) => [lockName, sharing]),
      ).toEqual([
        ['list: alone', undefined],
        ['list: readers', { holders: 1, permits: 4, limits: [] }],
        ['list: shared', { holders: 3, permits: 3, limits: [3, 7] }],
      ]);
    });

    it('who see as many limits as there are, and the oldest hundred', async () => {
      const name = 'desk: many';
      const leases = await acquire(
        ...Array.from({ length: 300 }, (_, index) => sharedOf(name, { limit: 1_000 + index })),
      );
      const lock = await lockOf(name);
      expect(lock?.sharing?.limits).toEqual(Array.from({ length: 300 }, (_, index) => 1_000 + index));
      expect(lock?.holders.map(({ fencingToken }) => fencingToken)).toEqual(
        leases.slice(0, 100).map((answer) => leaseOf(answer).fencingToken),
      );
    });
  });

  describe('while a process stands still amid a transaction', () => {
    let application: DataSource;
    let connections: Connections;
    let lane: Lane;

    beforeAll(async () => {
      application = await new DataSource({ type: 'mariadb', url: scene.url() }).initialize();
      connections = await Connections.open(application, { statement: 1_000, rowLock: 1_000 });
      lane = new Lane(connections, { spare: false });
    });

    afterAll(async () => {
      await lane.close();
      await connections.close();
      await application.destroy();
    });

    const secondsOf = async () => {
      const [rows] = await lane.run([
        'SELECT @@SESSION.wait_timeout AS ours, @@GLOBAL.wait_timeout AS usual',
      ]);
      const [{ ours, usual }] = rows as [Record<'ours' | 'usual', string>];
      return { ours: Number(ours), usual: Number(usual) };
    };

    const begin = ['START TRANSACTION', "UPDATE dblock_lock SET row_version = 77 WHERE lock_name = 'still'"];

    it('are not kept from others for long, and nothing is written', async () => {
      await lease(sharedOf('still'));
      const transaction = lane.transact(begin, () => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_500);
        return ['COMMIT'];
      });
      await expect(transaction).rejects.toThrow();
      expect(outcomes(await acquire(sharedOf('still')))).toEqual(['granted']);
      const rows = await scene
        .session()
        .query("SELECT 1 FROM dblock_lock WHERE lock_name = 'still' AND row_version = 77");
      expect(rows).toEqual([]);
    });

    it.each([
      { end: 'a commit', first: begin, decide: () => ['COMMIT'] },
      { end: 'a rollback', first: begin, decide: () => undefined },
      { end: 'a refusal', first: [...begin, 'SELECT 1 FROM nowhere'], decide: () => ['COMMIT'] },
      { end: 'a late refusal', first: begin, decide: () => ['SELECT 1 FROM nowhere', 'COMMIT'] },
    ])('are not in danger when it was over: by $end', async ({ first, decide }) => {
      await lane.transact(first, decide).catch(() => undefined);
      const { ours, usual } = await secondsOf();
      expect(ours).toBe(usual);
      expect(ours).toBeGreaterThan(100);
      expect(await scene.session().othersOpen()).toBe(0);
    });

    it('are written by no transaction that the server has given up without a word', async () => {
      const decide = jest.fn(() => ['COMMIT']);
      await expect(lane.transact([...begin, 'ROLLBACK', 'SELECT 1'], decide)).rejects.toThrow(
        RolledBackError,
      );
      expect(decide).not.toHaveBeenCalled();
      const end = ['ROLLBACK', ...begin.slice(1), 'COMMIT'];
      await expect(lane.transact(begin, () => end)).rejects.toThrow(RolledBackError);
      await expect(lane.run([...begin, 'ROLLBACK', 'SELECT 1', 'COMMIT', 'SELECT 2'])).rejects.toThrow(
        RolledBackError,
      );
      expect(await lane.run([...begin, 'SELECT 1 AS one', 'COMMIT'])).toEqual([[{ one: expect.anything() }]]);
      expect(FAULTS.isConflict(new RolledBackError())).toBe(true);
    });

    it('are decided in a session of ours, though the application has its own reset', async () => {
      const resetting = new DataSource({
        type: 'mariadb',
        url: scene.url(),
        extra: { resetOnRelease: true },
      });
      await resetting.initialize();
      const ours = await Connections.open(resetting, { statement: 1_000, rowLock: 1_000 });
      const spare = new Lane(ours, { spare: true });
      const seen = new Set<unknown>();
      await until('a connection comes back', PATIENCE, async () => {
        const [rows] = await spare.run(['SELECT CONNECTION_ID() AS id, @@tx_isolation AS level']);
        const [{ id, level }] = rows as [Record<'id' | 'level', unknown>];
        expect(level).toBe('READ-COMMITTED');
        return seen.size === seen.add(id).size;
      });
      await spare.close();
      await ours.close();
      await resetting.destroy();
    });

    it('are not written by what was to be decided wrongly', async () => {
      await expect(
        lane.transact(begin, () => {
          throw new TypeError('a fault of ours');
        }),
      ).rejects.toThrow('a fault of ours');
      await until('it is rolled back', PATIENCE, async () => (await scene.session().othersOpen()) === 0);
      expect(outcomes(await acquire(sharedOf('still')))).toEqual(['granted']);
    });
  });
});

describeWithMariadb('On MariaDB, a lease that shares a lock, where clocks may differ', () => {
  const TOLERANCE = 60_000;
  const scene = useDatabase({ clockTolerance: TOLERANCE });
  const { store, acquire, lease, expired } = scene;

  it('keeps its permits from others when it has run out', async () => {
    const name = 'tolerance';
    const request = sharedOf(name, { limit: 2, permits: 2 }, 1);
    await lease(request);
    await expired(name);
    const [busy] = await acquire(sharedOf(name, { limit: 3, permits: 2 }));
    expect(busy).toMatchObject({ outcome: 'busy', holder: { workerName: 'ann' } });
    expect(busy?.outcome === 'busy' && busy.holder.timeLeft).toBeGreaterThan(TOLERANCE / 2);
    expect(outcomes(await store().acquire([requestOf(name)]))).toEqual(['busy']);
    expect(outcomes(await store().shared!.renew([{ ...request, ttl: HOUR }]))).toEqual(['lost']);
    const server = randomUUID();
    await store().queue!.join(server, [
      { ...requestOf(name), share: { permits: 1, limit: 2 }, ticket: null },
    ]);
    expect(await store().queue!.freed!(server, [name])).toEqual([]);
    expect(await store().desk.clearExpired()).toBe(0);
    await store().removeIdle(60_000);
    const [forced] = await store().desk.forceRelease([{ lockName: name, actor: 'eve', reason: 'test' }]);
    expect(forced).toMatchObject({ outcome: 'forced', holders: [{ grantId: request.grantId, timeLeft: 0 }] });
    expect(await store().queue!.freed!(server, [name])).toEqual([name]);
  });

  it('may be asked for again by its own holder, where there is room', async () => {
    const name = 'own';
    const request = sharedOf(name, { limit: 2 }, 1);
    const before = await lease(request);
    await expired(name);
    const [again] = await acquire({ ...request, ttl: HOUR });
    expect(again).toMatchObject({ outcome: 'granted', repeated: false });
    expect(leaseOf(again).fencingToken).toBeGreaterThan(before.fencingToken);
    expect(outcomes(await acquire(sharedOf(name, { limit: 1 })))).toEqual(['busy']);
    expect(outcomes(await store().shared!.release([{ lockName: name, grantId: request.grantId }]))).toEqual([
      'released',
    ]);
  });

  it('keeps its permits no longer than minHold when it was released', async () => {
    const name = 'minHold';
    const { grantId } = await lease(sharedOf(name, { limit: 1 }));
    await store().shared!.release([{ lockName: name, grantId, minHold: 300 }]);
    const next = sharedOf(name, { limit: 1 });
    expect(outcomes(await acquire(next))).toEqual(['busy']);
    await until('there is room', 10_000, async () => outcomes(await acquire(next))[0] === 'granted');
  });
});

import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { StoreUnavailableError } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENT } from '../faults/tampered-mariadb.js';
import type { LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import {
  createMariadbDatabase,
  describeWithMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { MariadbSession } from '../support/mariadb-session.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';
import { until } from '../support/patience.js';

describeWithMariadb('On MariaDB, while somebody else has locked the row of a lock', () => {
  let database: MariadbDatabase;
  let hosts: MariadbHost[];
  let session: MariadbSession;

  beforeAll(async () => {
    database = await createMariadbDatabase();
    hosts = [
      // What is blocked here waits for as long as the test likes, also where the machine is slow.
      ...(await openMariadbHosts(database.url, 1, { statementTimeout: '60s' }, PATIENT)),
      ...(await openMariadbHosts(database.url, 1)),
    ];
    session = await MariadbSession.open(database.url);
  });

  afterEach(() => session.query('ROLLBACK'));

  afterAll(async () => {
    await session.close();
    for (const { app } of hosts) await app.close();
    await database.drop();
  });

  const store = () => hosts[0]!.store;
  const impatient = () => hosts[1]!.store;

  /** A lock that was released long enough ago to be kept for nobody. */
  const released = async (lockName: string) => {
    const request = requestOf(lockName);
    await store().acquire([request]);
    await store().release([{ lockName, grantId: request.grantId }]);
    await session.query('UPDATE dblock_lock SET expire_time = expire_time - 1000000 WHERE lock_name = ?', [
      lockName,
    ]);
  };

  const held = async (lockName: string, ttl = 60_000) => {
    const request = requestOf(lockName, ttl);
    const [answer] = await store().acquire([request]);
    expect(answer).toMatchObject({ outcome: 'granted' });
    return request;
  };

  it.each<[string, () => Promise<LeaseRecord | undefined>]>([
    [
      'is taken by the shortcut',
      async () => {
        const [answer] = await store().acquire([requestOf('late')]);
        return answer?.outcome === 'granted' ? answer.lease : undefined;
      },
    ],
    [
      'is taken from the queue',
      async () => {
        const [answer] = await store().acquire([{ ...requestOf('late'), ticket: 1 }]);
        return answer?.outcome === 'granted' ? answer.lease : undefined;
      },
    ],
    [
      'is taken with others',
      async () => {
        const grantId = randomUUID();
        const answer = await store().acquireSet(
          ['late', 'later'].map((lockName) => ({ ...requestOf(lockName), grantId })),
        );
        return answer.outcome === 'granted' ? answer.leases[1] : undefined;
      },
    ],
    [
      'is taken by an operator',
      async () => {
        const { ticket: _, ...request } = { ...requestOf('late'), ticket: null };
        const answer = await store().desk.hold({ ...request, actor: 'eve', reason: null });
        return answer.outcome === 'held' ? answer.lease : undefined;
      },
    ],
  ])('a lease begins when the row is locked, not when the statement began: it %s', async (_, acquire) => {
    await session.query('DELETE FROM dblock_lock WHERE lock_name IN (?)', [['late', 'later']]);
    await released('late');
    await session.lockRow('late');
    const acquiring = acquire();
    await session.awaitWaiter();
    await sleep(300);
    const letGo = await session.letGo();
    const lease = await acquiring;
    expect(lease!.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
    expect(lease!.timeLeft).toBeGreaterThan(30_000);
    expect(lease!.expireTime.getTime() - lease!.lockTime.getTime()).toBe(60_000);
    await store().release([{ lockName: 'late', grantId: lease!.grantId }]);
  });

  it('a lease that is passed on begins then, too', async () => {
    const { lockName, grantId } = await held('passed');
    await session.lockRow(lockName);
    const successor = { ...requestOf(lockName), ticket: 1 };
    const passing = store().queue!.pass(randomUUID(), [{ lockName, grantId, successor }]);
    await session.awaitWaiter();
    await sleep(300);
    const letGo = await session.letGo();
    const [answer] = await passing;
    if (answer?.outcome !== 'passed') throw new Error(`It was not passed on: ${answer?.outcome}`);
    expect(answer.lease.lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
    expect(answer.lease.grantId).toBe(successor.grantId);
  });

  it('a lease that expires while its renewal waits is lost', async () => {
    const { lockName, grantId } = await held('expiring', 2_000);
    await session.lockRow(lockName);
    const renewing = store().renew([{ lockName, grantId, ttl: 60_000 }]);
    await session.awaitWaiter();
    await until('the lease has expired', 30_000, async () => {
      return (await impatient().inspect([lockName]))[0]!.state === 'expired';
    });
    await session.letGo();
    expect((await renewing)[0]!.outcome).toBe('lost');
    expect((await store().inspect([lockName]))[0]!.state).toBe('expired');
  });

  it.each([
    { how: 'by its grant', asked: (grantId: string) => ({ grantId }) },
    { how: 'by its grant, with minHold', asked: (grantId: string) => ({ grantId, minHold: 1 }) },
    { how: 'by its worker', asked: () => ({ workerName: 'ann' }) },
  ])('a lease whose renewal is under way is not taken for expired by a release $how', async ({ asked }) => {
    const lockName = `renewing:${JSON.stringify(asked('x'))}`;
    const { grantId } = await held(lockName);
    const move = (microseconds: number) =>
      session.query('UPDATE dblock_lock SET expire_time = expire_time + ? WHERE lock_name = ?', [
        microseconds,
        lockName,
      ]);
    await move(-120_000_000); // By what is committed, it has expired.
    await session.query('BEGIN');
    await move(120_000_000);
    const releasing = store().release([{ lockName, ...asked(grantId) }]);
    await session.awaitWaiter();
    await session.letGo();
    expect((await releasing)[0]).toMatchObject({ outcome: 'released', grantId });
    expect((await store().inspect([lockName]))[0]!.state).toBe('released');
  });

  it('the others of a batch have their answers, the locked one an error that is neither busy nor lost', async () => {
    for (const lockName of ['free:1', 'free:2', 'free:3']) await released(lockName);
    await session.lockRow('free:2');
    const answers = await impatient().acquire([
      requestOf('free:1'),
      requestOf('free:2'),
      requestOf('free:3'),
    ]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'error', 'granted']);
    expect(answers[0]).toMatchObject({ repeated: false });
    const [, failed] = answers;
    expect(failed?.outcome === 'error' && failed.error).toBeInstanceOf(StoreUnavailableError);
  });

  it('a lock that somebody holds is busy, though its row is locked', async () => {
    const { lockName } = await held('busy');
    await session.lockRow(lockName);
    const [answer] = await hosts[1]!.store.acquire([requestOf(lockName)]);
    expect(answer).toMatchObject({ outcome: 'busy', holder: { workerName: 'ann' } });
  });

  it('what waited for the row in vain leaves no transaction open', async () => {
    await released('open:1');
    await released('open:2');
    const { lockName, grantId } = await held('open:3');
    await session.lockRow('open:2');
    await session.query('SELECT 1 FROM dblock_lock WHERE lock_name = ? FOR UPDATE', [lockName]);
    const answers = await Promise.all([
      impatient().acquire([
        { ...requestOf('open:1'), ticket: 1 },
        { ...requestOf('open:2'), ticket: 1 },
      ]),
      impatient().renew([{ lockName, grantId, ttl: 60_000 }]),
      impatient().release([{ lockName, grantId }]),
      impatient().desk.forceRelease([{ lockName, actor: 'eve', reason: 'test' }]),
    ]);
    expect(answers.flat().map(({ outcome }) => outcome)).toEqual([
      'granted',
      'error',
      'error',
      'error',
      'error',
    ]);
    expect(await session.othersOpen()).toBe(0);
    await session.letGo();
    expect((await store().inspect([lockName]))[0]).toMatchObject({ state: 'held' });
    expect((await store().history.of(lockName, { limit: 10 })).map(({ event }) => event)).not.toContain(
      'forced',
    );
  });

  it('a deadlock with somebody else is repeated', async () => {
    for (const lockName of ['dead:1', 'dead:2']) await released(lockName);
    await session.query(
      'CREATE TABLE weight (id int PRIMARY KEY AUTO_INCREMENT, text varchar(10)) ENGINE = InnoDB',
    );
    const deadlocks = async () => {
      const [row] = await session.query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'");
      return Number(row!.Value);
    };
    const before = await deadlocks();
    await session.lockRow('dead:2');
    // The one that has written less is given up: that must be ours.
    await session.query("INSERT INTO weight (text) SELECT 'x' FROM seq_1_to_200");
    const acquiring = store().acquire([requestOf('dead:1'), requestOf('dead:2')]);
    await session.awaitWaiter();
    await session.query("SELECT 1 FROM dblock_lock WHERE lock_name = 'dead:1' FOR UPDATE");
    expect(await deadlocks()).toBe(before + 1);
    await session.letGo();
    expect(await acquiring).toMatchObject([
      { outcome: 'granted', repeated: false },
      { outcome: 'granted', repeated: false },
    ]);
  });

  it('the keys to leases are in no error', async () => {
    await released('secret');
    await session.lockRow('secret');
    const request = requestOf('secret');
    const [answer] = await impatient().acquire([request]);
    if (answer?.outcome !== 'error') throw new Error('It is no error.');
    const { cause } = answer.error;
    expect(String((cause as Error).message)).toContain('Lock wait timeout');
    expect(JSON.stringify({ ...(cause as Error) })).not.toContain(request.grantId);
  });
});

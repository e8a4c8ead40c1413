import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Share } from '../../libs/db-lock/src/lease/modes.js';
import type { SharedRequest } from '../../libs/db-lock/src/lease/requests.js';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { AcquireAnswer, LeaseRecord, LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import type { SharedLocks } from '../../libs/db-lock/src/store/shared-locks.js';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { COMPANY } from '../stores/company.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const HOUR = 3_600_000;
/** Milliseconds for what takes a moment. */
const PATIENCE = 30_000;
const READER: Share = { permits: 1, limit: null };
const upTo = (limit: number, permits = 1): Share => ({ permits, limit });

const request = (lockName: string) => ({
  lockName,
  workerName: 'ann',
  grantId: randomUUID(),
  ttl: HOUR,
  metadata: null,
});
const sharedRequest = (lockName: string, share = READER): SharedRequest => ({ ...request(lockName), share });

const keyOf = ({ lockName, grantId }: LeaseRecord) => ({ lockName, grantId });

type Store = LockStore & { shared: SharedLocks };

function leaseIn(answer: AcquireAnswer | undefined): LeaseRecord {
  expect(answer).toMatchObject({ outcome: 'granted' });
  return (answer as Extract<AcquireAnswer, { outcome: 'granted' }>).lease;
}

const share = async (store: Store, lockName: string, wanted = READER): Promise<LeaseRecord> =>
  leaseIn((await store.shared.acquire([sharedRequest(lockName, wanted)]))[0]);

describe('leases in shared mode on PostgreSQL', () => {
  let database: TestDatabase;
  let apps: INestApplication[];
  let session: BlockingSession;
  let stores: [Store, Store, Store];
  let tolerant: Store;

  beforeAll(async () => {
    database = await createTestDatabase();
    const open = (feature: object = {}) =>
      createLockApplication({
        // What is blocked here waits for as long as the test likes, also where the machine is slow.
        database: { type: 'postgres', url: database.url, driver: tamperedPostgres(PATIENT) },
        features: [feature],
      });
    apps = [await open(), await open(), await open(), await open({ clockTolerance: '1m' })];
    const [one, two, three, four] = apps.map((app) => app.get<Store>(LOCK_STORE));
    stores = [one!, two!, three!];
    tolerant = four!;
    session = await BlockingSession.open(database.url);
  });

  afterAll(async () => {
    await session.close();
    for (const app of apps) await app.close();
    await database.drop();
  });

  const look = async (lockName: string) => (await stores[0].inspect([lockName]))[0]!;

  const tryAlone = async (lockName: string) => (await stores[0].acquire([request(lockName)]))[0]!.outcome;

  /** Waits until so many stand in line for the row that the session has locked; the server has other databases, in which others wait. */
  const awaitLine = (count: number) =>
    until(`${count} wait for the row`, PATIENCE, async () => {
      const rows = await session.query(
        `SELECT DISTINCT pid FROM pg_locks AS waiting JOIN pg_locks AS used USING (pid)
         WHERE NOT waiting.granted AND waiting.locktype IN ('tuple', 'transactionid') AND used.locktype = 'relation'
           AND used.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows.length >= count;
    });

  /** Has all of these wait for the row of a lock, in that order, with what they have seen before; and answers what comes of it. */
  async function inLine<Answers extends unknown[]>(
    lockName: string,
    ...asks: { [Index in keyof Answers]: () => Promise<Answers[Index]> }
  ): Promise<Answers> {
    await session.lockRow(lockName);
    const answers: Array<Promise<unknown>> = [];
    for (const [index, ask] of asks.entries()) {
      answers.push(ask());
      await awaitLine(index + 1);
    }
    await session.letGo();
    return Promise.all(answers) as Promise<Answers>;
  }

  /** As if the database's clock had jumped: the leases of a lock end so much sooner, or later again. */
  async function jump(lockName: string, interval: string): Promise<void> {
    for (const table of ['dblock_lock', 'dblock_holder'])
      await session.query(
        `UPDATE ${table} SET expire_time = expire_time - $2::interval WHERE lock_name = $1`,
        [lockName, interval],
      );
  }

  describe('that have waited for the row of their lock', () => {
    it('are not granted by what was seen before another one was', async () => {
      await share(stores[0], 'last permit', upTo(2));
      const asked = [sharedRequest('last permit', upTo(2)), sharedRequest('last permit', upTo(2))] as const;
      const [[one], [other]] = await inLine(
        'last permit',
        () => stores[0].shared.acquire([asked[0]]),
        () => stores[1].shared.acquire([asked[1]]),
      );
      expect([one!.outcome, other!.outcome]).toEqual(['granted', 'busy']);
      expect((await look('last permit')).sharing).toEqual({ holders: 2, permits: 2, limits: [2] });
    });

    it.each(COMPANY)(
      'leave the lock to an exclusive one that was faster, asked for $company, and it to them',
      async ({ company, within }) => {
        const lockName = `faster:${company}`;
        const exclusive = within(stores[0]);
        await share(stores[0], lockName).then((lease) => stores[0].shared.release([keyOf(lease)]));
        const [[alone], [shared]] = await inLine(
          lockName,
          () => exclusive.acquire([request(lockName)]),
          () => stores[1].shared.acquire([sharedRequest(lockName)]),
        );
        expect([alone!.outcome, shared!.outcome]).toEqual(['granted', 'busy']);
        await exclusive.release([keyOf(leaseIn(alone))]);
        const [[reader], [writer]] = await inLine(
          lockName,
          () => stores[1].shared.acquire([sharedRequest(lockName)]),
          () => exclusive.acquire([request(lockName)]),
        );
        expect([reader!.outcome, writer!.outcome]).toEqual(['granted', 'busy']);
      },
    );

    it('free no lock beside one that was granted meanwhile', async () => {
      const first = await share(stores[0], 'not alone');
      const [, [ended]] = await inLine(
        'not alone',
        () => stores[0].shared.acquire([sharedRequest('not alone')]),
        () => stores[1].shared.release([keyOf(first)]),
      );
      expect(ended!.outcome).toBe('released');
      expect((await look('not alone')).sharing?.holders).toBe(1);
      expect(await tryAlone('not alone')).toBe('busy');
    });

    it('leave no lock taken when the last two are released at once', async () => {
      const leases = [await share(stores[0], 'both'), await share(stores[0], 'both')] as const;
      const ended = await inLine(
        'both',
        () => stores[0].shared.release([keyOf(leases[0])]),
        () => stores[1].shared.release([keyOf(leases[1])]),
      );
      expect(ended).toMatchObject([[{ outcome: 'released' }], [{ outcome: 'released' }]]);
      expect((await look('both')).state).toBe('released');
      expect(await tryAlone('both')).toBe('granted');
    });

    it('are renewed while others come and go, and lost once they were ended by force', async () => {
      const lease = await share(stores[0], 'renewed');
      const renewal = { ...keyOf(lease), ttl: 2 * HOUR };
      const [, [renewed]] = await inLine(
        'renewed',
        () => stores[0].shared.acquire([sharedRequest('renewed')]),
        () => stores[1].shared.renew([renewal]),
      );
      expect(renewed!.outcome).toBe('renewed');
      const expireTime = (await look('renewed')).expireTime;
      expect(expireTime.getTime()).toBeGreaterThan(lease.expireTime.getTime() + HOUR / 2);
      const [, [lost]] = await inLine(
        'renewed',
        () => stores[0].desk.forceRelease([{ lockName: 'renewed', actor: 'eve', reason: 'it hung' }]),
        () => stores[1].shared.renew([renewal]),
      );
      expect(lost!.outcome).toBe('lost');
      expect((await look('renewed')).state).toBe('released');
    });

    it('are ended by a release, also when a renewal under way keeps them alive', async () => {
      const lease = await share(stores[0], 'kept alive');
      await jump('kept alive', `${HOUR - 2_000} milliseconds`);
      await session.query('BEGIN');
      await session.query(
        `WITH holder AS (UPDATE dblock_holder SET expire_time = expire_time + interval '1 hour' WHERE lock_name = $1)
        UPDATE dblock_lock SET expire_time = expire_time + interval '1 hour' WHERE lock_name = $1`,
        ['kept alive'],
      );
      await until('it looks expired', PATIENCE, async () => (await look('kept alive')).state === 'expired');
      const releasing = stores[0].shared.release([keyOf(lease)]);
      await session.awaitWaiter();
      await session.letGo();
      expect((await releasing)[0]!.outcome).toBe('released');
    });

    it('are renewed, also when they would have ended but for a renewal that is under way', async () => {
      const lease = await share(stores[0], 'renewed twice');
      await jump('renewed twice', `${HOUR - 2_000} milliseconds`);
      await session.query('BEGIN');
      for (const table of ['dblock_lock', 'dblock_holder'])
        await session.query(
          `UPDATE ${table} SET expire_time = expire_time + interval '1 hour' WHERE lock_name = $1`,
          ['renewed twice'],
        );
      const renewing = stores[0].shared.renew([{ ...keyOf(lease), ttl: 2 * HOUR }]);
      await session.awaitWaiter();
      await until(
        'it looks expired',
        PATIENCE,
        async () => (await look('renewed twice')).state === 'expired',
      );
      await session.letGo();
      expect((await renewing)[0]!.outcome).toBe('renewed');
    });

    it('answer a repeat with the same lease, though the first grant was not to be seen when it asked', async () => {
      const asked = sharedRequest('twice', upTo(1));
      await share(stores[0], 'twice').then((lease) => stores[0].shared.release([keyOf(lease)]));
      const [[first], [second]] = await inLine(
        'twice',
        () => stores[0].shared.acquire([asked]),
        () => stores[1].shared.acquire([asked]),
      );
      expect([first, second]).toMatchObject([{ repeated: false }, { repeated: true }]);
      const { fencingToken, version } = leaseIn(first);
      expect(leaseIn(second).fencingToken).toBe(fencingToken);
      // Who gives the first one's grant back ends nothing that the second was promised.
      const [late] = await stores[0].shared.release([{ ...keyOf(leaseIn(first)), version }]);
      expect(late!.outcome).toBe('lost');
      expect((await look('twice')).sharing).toMatchObject({ holders: 1, permits: 1 });
    });

    it('answer the repeat of a downgrade likewise', async () => {
      const lease = leaseIn((await stores[0].acquire([request('down')]))[0]);
      const asked = { ...keyOf(lease), share: upTo(3, 2) };
      const [[first], [second]] = await inLine(
        'down',
        () => stores[0].shared.downgrade([asked]),
        () => stores[1].shared.downgrade([asked]),
      );
      expect([first, second]).toMatchObject([
        { outcome: 'downgraded', repeated: false },
        { outcome: 'downgraded', repeated: true },
      ]);
      expect((await look('down')).sharing).toEqual({ holders: 1, permits: 2, limits: [3] });
    });

    it('begin after the row was locked', async () => {
      await share(stores[0], 'late').then((lease) => stores[0].shared.release([keyOf(lease)]));
      await session.lockRow('late');
      const acquiring = stores[0].shared.acquire([sharedRequest('late')]);
      await session.awaitWaiter();
      await sleep(200);
      const letGo = await session.letGo();
      expect(leaseIn((await acquiring)[0]).lockTime.getTime()).toBeGreaterThanOrEqual(letGo.getTime() - 1);
    });
  });

  describe('that are over', () => {
    it('never come to life again after an exclusive lease, whatever the clock does', async () => {
      const old = await share(stores[0], 'revival');
      await jump('revival', '2 hours');
      const writer = leaseIn((await stores[1].acquire([request('revival')]))[0]);
      await session.query(`UPDATE dblock_holder SET expire_time = expire_time + interval '2 hours'`);
      const acts = async () => [
        ...(await stores[0].shared.renew([{ ...keyOf(old), ttl: HOUR }])),
        ...(await stores[0].shared.release([keyOf(old)])),
      ];
      expect(await acts()).toMatchObject([{ outcome: 'lost' }, { outcome: 'lost' }]);
      expect((await look('revival')).holders).toMatchObject([{ fencingToken: writer.fencingToken }]);
      await stores[1].release([keyOf(writer)]);
      const fresh = await share(stores[0], 'revival', upTo(1));
      expect(await acts()).toMatchObject([{ outcome: 'lost' }, { outcome: 'lost' }]);
      expect((await look('revival')).sharing).toEqual({ holders: 1, permits: 1, limits: [1] });
      await stores[0].shared.release([keyOf(fresh)]);
      expect((await look('revival')).state).toBe('released');
    });

    it('never come to life again once their permits were given to another', async () => {
      const old = await share(stores[0], 'permits', upTo(2));
      await session.query(
        `UPDATE dblock_holder SET expire_time = expire_time - interval '2 hours' WHERE grant_id = $1`,
        [old.grantId],
      );
      await session.query('UPDATE dblock_lock SET token = token WHERE lock_name = $1', ['permits']);
      const [answer] = await stores[1].shared.acquire([sharedRequest('permits', upTo(1))]);
      const { fencingToken } = old;
      expect(answer).toMatchObject({
        outcome: 'granted',
        alsoExpired: [{ workerName: 'ann', fencingToken }],
      });
      await session.query(
        `UPDATE dblock_holder SET expire_time = expire_time + interval '2 hours' WHERE grant_id = $1`,
        [old.grantId],
      );
      expect((await stores[0].shared.renew([{ ...keyOf(old), ttl: HOUR }]))[0]!.outcome).toBe('lost');
      expect((await look('permits')).sharing).toEqual({ holders: 1, permits: 1, limits: [1] });
    });

    it('never come to life again beside a lease that was downgraded', async () => {
      const old = await share(stores[0], 'before the downgrade');
      await jump('before the downgrade', '2 hours');
      const writer = leaseIn((await stores[1].acquire([request('before the downgrade')]))[0]);
      await stores[1].shared.downgrade([{ ...keyOf(writer), share: READER }]);
      await jump('before the downgrade', '-2 hours');
      expect((await stores[0].shared.renew([{ ...keyOf(old), ttl: HOUR }]))[0]!.outcome).toBe('lost');
      expect((await look('before the downgrade')).sharing?.holders).toBe(1);
    });

    it('are forgotten after the retention', async () => {
      const lease = await share(stores[0], 'forgotten');
      const other = await share(stores[0], 'forgotten');
      await session.query(
        `UPDATE dblock_holder SET expire_time = expire_time - interval '3 hours' WHERE grant_id = $1`,
        [lease.grantId],
      );
      const rows = () =>
        session.query<{ grant_id: string }>('SELECT grant_id FROM dblock_holder WHERE lock_name = $1', [
          'forgotten',
        ]);
      await stores[0].removeIdle(3 * HOUR);
      expect(await rows()).toHaveLength(2);
      await stores[0].removeIdle(HOUR);
      expect(await rows()).toEqual([{ grant_id: other.grantId }]);
    });

    it('keep others out for the clock tolerance, unless they were released', async () => {
      const lockName = 'tolerance';
      const kept = await share(tolerant, lockName, upTo(3));
      await tolerant.shared.release([{ ...keyOf(kept), minHold: HOUR }]);
      const old = await share(tolerant, lockName, upTo(3));
      expect((await look(lockName)).sharing?.permits).toBe(2);
      await jump(lockName, `${HOUR + 1_000} milliseconds`);
      expect((await tolerant.acquire([request(lockName)]))[0]!.outcome).toBe('busy');
      const [busy] = await tolerant.shared.acquire([sharedRequest(lockName, upTo(1))]);
      expect(busy).toMatchObject({ outcome: 'busy', holder: { workerName: 'ann', lockName } });
      if (busy?.outcome === 'busy') expect(busy.holder.timeLeft).toBeGreaterThan(30_000);
      expect((await tolerant.shared.renew([{ ...keyOf(old), ttl: HOUR }]))[0]!.outcome).toBe('lost');
      // That of the released one is free.
      const beside = await tolerant.shared.acquire([sharedRequest(lockName, upTo(2))]);
      expect(beside).toMatchObject([{ outcome: 'granted', alsoExpired: undefined }]);
      expect(await tolerant.desk.forceRelease([{ lockName, actor: 'eve', reason: 'over' }])).toMatchObject([
        { outcome: 'forced', holders: [keyOf(leaseIn(beside[0])), keyOf(old)] },
      ]);
    });
  });

  it('are never ended by the name of their worker', async () => {
    await share(stores[0], 'by worker');
    const [answer] = await stores[0].release([{ lockName: 'by worker', workerName: 'ann' }]);
    expect(answer!.outcome).toBe('lost');
    expect((await look('by worker')).sharing?.holders).toBe(1);
  });

  it('are granted, though another of the batch cannot be stored', async () => {
    const bad = { ...sharedRequest('bad'), metadata: { text: '\u0000' } };
    const answers = await stores[0].shared.acquire([sharedRequest('bad'), bad, sharedRequest('bad')]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'error', 'granted']);
    expect((await look('bad')).sharing?.holders).toBe(2);
  });

  it('are renewed and released together, also twice', async () => {
    const leases = await Promise.all([1, 2, 3].map(() => share(stores[0], 'together')));
    const twice = [...leases, leases[0]!];
    const renewals = twice.map((lease, index) => ({ ...keyOf(lease), ttl: (index + 2) * HOUR }));
    const renewed = await stores[0].shared.renew(renewals);
    expect(renewed.map(({ outcome }) => outcome)).toEqual(twice.map(() => 'renewed'));
    const ended = await stores[0].shared.release(twice.map(keyOf));
    expect(ended.map(({ outcome }) => outcome)).toEqual(['released', 'released', 'released', 'lost']);
    expect((await look('together')).state).toBe('released');
  });

  it('are taken in a set with exclusive ones, all or none', async () => {
    const set = [request('set: alone'), { ...sharedRequest('set: shared'), metadata: { text: '\u0000' } }];
    const { grantId } = set[0]!;
    const refused = await stores[0].acquireSet(set.map((one) => ({ ...one, grantId })));
    expect(refused.outcome).toBe('error'); // only what the last of the statements writes is refused
    expect(await stores[0].inspect(['set: alone', 'set: shared'])).toEqual([null, null]);
  });

  it('keep no row locked when the connection breaks in the midst of a transaction', async () => {
    await share(stores[0], 'broken').then((lease) => stores[0].shared.release([keyOf(lease)]));
    const set = [sharedRequest('broken'), request('broken too')];
    await session.lockRow('broken');
    const acquiring = stores[0].acquireSet(set.map((one) => ({ ...one, grantId: set[0]!.grantId })));
    await session.awaitWaiter();
    await session.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))`,
    );
    expect((await acquiring).outcome).toBe('error');
    await session.letGo();
    expect(await stores[1].acquireSet(set)).toMatchObject({ outcome: 'granted', repeated: false });
    expect((await look('broken')).sharing?.holders).toBe(1);
  });

  it('never take more permits than the limit, nor stand beside an exclusive one, whatever the servers', async () => {
    const lockName = 'hammered';
    const limit = 4;
    let [permits, alone, most] = [0, 0, 0];
    const faults: string[] = [];
    const check = () => {
      most = Math.max(most, permits);
      if (permits > limit || alone > 1 || (alone > 0 && permits > 0))
        faults.push(`${permits} permits beside ${alone}`);
    };
    const work = async (store: Store, index: number) => {
      for (let served = 0; served < 5;) {
        if (index % 5 === 0) {
          const [answer] = await store.acquire([request(lockName)]);
          if (answer?.outcome !== 'granted') continue;
          alone++;
          check();
          await sleep(0);
          alone--;
          await store.release([keyOf(answer.lease)]);
        } else {
          const wanted = upTo(limit, 1 + (index % 2));
          const asked = [sharedRequest(lockName, wanted), sharedRequest(lockName, wanted)];
          const granted = (await store.shared.acquire(asked)).filter(({ outcome }) => outcome === 'granted');
          if (granted.length === 0) continue;
          permits += granted.length * wanted.permits;
          check();
          await sleep(0);
          permits -= granted.length * wanted.permits;
          const keys = granted.map((answer) => keyOf(leaseIn(answer)));
          const ended = await store.shared.release(keys);
          if (ended.some(({ outcome }) => outcome !== 'released')) faults.push('a lease was lost');
        }
        served++;
      }
    };
    await Promise.all(Array.from({ length: 24 }, (_, index) => work(stores[index % 3]!, index)));
    expect(faults).toEqual([]);
    expect(most).toBe(limit);
    expect((await look(lockName)).state).toBe('released');
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { AcquireAnswer, LeaseRecord, LockStore } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const request = (lockName: string, differences: object = {}) => ({
  lockName,
  workerName: 'ann',
  grantId: randomUUID(),
  ttl: 60_000,
  metadata: null,
  ...differences,
});

/** Neither in byte order nor in that of any language. */
const NAMES = ['zebra', 'Émile', 'a"b\\c{d},', 'émile', ' ', 'NULL', 'ähre', 'Zebra', '🔒', '\uffee'];

/** Each answer tells the database's clock. */
const serverTime = expect.any(Date);

describe('the requests of a batch', () => {
  let database: TestDatabase;
  let session: BlockingSession;
  let app: INestApplication;
  let store: LockStore;

  beforeAll(async () => {
    database = await createTestDatabase();
    session = await BlockingSession.open(database.url);
  });

  // Anew for each test: a store that has met new names only does not try the shortcut to released ones for a while.
  beforeEach(async () => {
    const driver = tamperedPostgres(PATIENT);
    app = await createLockApplication({ database: { type: 'postgres', url: database.url, driver } });
    store = app.get<LockStore>(LOCK_STORE);
  });

  afterEach(() => app.close());

  afterAll(async () => {
    await session.close();
    await database.drop();
  });

  function leasesOf(answers: readonly AcquireAnswer[]): LeaseRecord[] {
    return answers.map((answer) => {
      if (answer.outcome !== 'granted') throw new Error(`One was not granted: ${JSON.stringify(answer)}`);
      return answer.lease;
    });
  }

  /** Twice: a lock that is new is taken by another statement than one that was released. */
  async function takeAndRelease(requests: ReadonlyArray<ReturnType<typeof request>>): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const leases = leasesOf(await store.acquire(requests));
      for (const [index, { lockName, workerName, grantId, ttl, metadata }] of requests.entries()) {
        const lease = leases[index]!;
        expect(lease).toMatchObject({ lockName, workerName, grantId, metadata });
        expect(lease.expireTime.getTime() - lease.lockTime.getTime()).toBe(ttl);
        expect(lease.timeLeft).toBeLessThanOrEqual(ttl);
        expect(lease.serverTime.getTime()).toBeGreaterThanOrEqual(lease.lockTime.getTime());
      }
      const rows = await session.query<{ lock_name: string; worker_name: string; metadata: unknown }>(
        'SELECT lock_name, worker_name, metadata FROM dblock_lock WHERE grant_id IS NOT NULL',
      );
      expect(new Map(rows.map((row) => [row.lock_name, row]))).toEqual(
        new Map(
          requests.map(({ lockName, workerName, metadata }) => [
            lockName,
            { lock_name: lockName, worker_name: workerName, metadata },
          ]),
        ),
      );
      for (const { lockName, fencingToken } of leases)
        expect((await store.inspect([lockName]))[0]).toMatchObject({ fencingToken });
      expect(await store.release(requests)).toEqual(
        requests.map(({ grantId }) => ({ outcome: 'released', grantId, next: null, serverTime })),
      );
    }
  }

  it('get what each has asked for, where all are alike but for their names', () =>
    takeAndRelease(NAMES.map((name) => request(name))));

  it('get what each has asked for, where they differ in every field', () =>
    takeAndRelease(
      NAMES.map((name, index) =>
        request(`other ${name}`, {
          workerName: `worker ${index}`,
          ttl: 10_000 + index,
          metadata: index % 2 === 0 ? { index, name } : null,
        }),
      ),
    ));

  it('are lost each by itself, and released each in its own way', async () => {
    const requests = ['mine', 'lost', 'kept', 'old', 'over'].map((name) => request(name));
    const leases = leasesOf(await store.acquire(requests));
    const [mine, lost, kept, old, over] = leases as [
      LeaseRecord,
      LeaseRecord,
      LeaseRecord,
      LeaseRecord,
      LeaseRecord,
    ];
    await store.renew([{ lockName: 'old', grantId: old.grantId, ttl: 90_000 }]);
    const key = ({ lockName, grantId }: LeaseRecord) => ({ lockName, grantId });
    expect(
      await store.release([
        { ...key(mine), version: mine.version },
        { ...key(lost), grantId: randomUUID() },
        { ...key(kept), minHold: 60_000 },
        { ...key(old), version: old.version },
      ]),
    ).toEqual([
      { outcome: 'released', grantId: mine.grantId, next: null, serverTime },
      { outcome: 'lost', serverTime },
      { outcome: 'released', grantId: kept.grantId, next: null, serverTime },
      { outcome: 'lost', serverTime },
    ]);
    expect((await store.inspect(['mine', 'lost', 'old'])).map((lock) => lock!.state)).toEqual([
      'released',
      'held',
      'held',
    ]);
    expect(await store.acquire([request('kept')])).toMatchObject([{ outcome: 'busy' }]);
    // Plain ones, of which the first is lost: a place is not an index among those that were ended.
    expect(await store.release([key(mine), key(over), key(lost), key(old)])).toEqual([
      { outcome: 'lost', serverTime },
      ...[over, lost, old].map(({ grantId }) => ({ outcome: 'released', grantId, next: null, serverTime })),
    ]);
  });

  it('are freed at once beside one that keeps its lock, also where the clock was set back since they began', async () => {
    const [early, kept] = leasesOf(await store.acquire([request('early'), request('kept beside')]));
    await session.query(
      `UPDATE dblock_lock SET lock_time = lock_time + interval '30 s' WHERE lock_name = 'early'`,
    );
    await store.release([
      { lockName: 'early', grantId: early!.grantId },
      { lockName: 'kept beside', grantId: kept!.grantId, minHold: 60_000 },
    ]);
    expect(await store.acquire([request('early'), request('kept beside')])).toMatchObject([
      { outcome: 'granted' },
      { outcome: 'busy' },
    ]);
  });

  describe('are renewed, lost each by itself, never shortened, with what an operator has changed', () => {
    it.each([
      {
        who: 'by holders who know their leases and ask for the same',
        knowing: [true, true, true, true, true],
        ttls: [70_000],
      },
      {
        who: 'by holders who ask for different times',
        knowing: [true, true, true, true, true],
        ttls: [70_000, 71_000],
      },
      {
        who: 'by holders of whom some know nothing but their grant',
        knowing: [true, false, true, true, true],
        ttls: [70_000],
      },
    ])('$who', async ({ knowing, ttls }) => {
      const requests = ['first', 'noted', 'long', 'other', 'plain'].map((name) =>
        request(name, { metadata: name === 'plain' ? null : { of: 'the holder' } }),
      );
      const leases = leasesOf(await store.acquire(requests));
      await session.query(
        `UPDATE dblock_lock SET metadata = '{"of": "an operator"}' WHERE lock_name = 'noted'`,
      );
      await session.query(
        `UPDATE dblock_lock SET expire_time = lock_time + interval '1 h' WHERE lock_name = 'long'`,
      );
      const answers = await store.renew(
        leases.map((lease, index) => ({
          lockName: lease.lockName,
          grantId: lease.lockName === 'other' ? randomUUID() : lease.grantId,
          ttl: ttls[index % ttls.length]!,
          held: knowing[index] ? lease : undefined,
        })),
      );
      expect(answers.map(({ outcome }) => outcome)).toEqual([
        'renewed',
        'renewed',
        'renewed',
        'lost',
        'renewed',
      ]);
      for (const [index, answer] of answers.entries()) {
        if (answer.outcome !== 'renewed') continue;
        const { expireTime, serverTime, timeLeft, version: _version, ...same } = answer.lease;
        const {
          expireTime: _end,
          serverTime: _then,
          timeLeft: _left,
          version: _first,
          ...before
        } = leases[index]!;
        expect(same).toEqual({
          ...before,
          ...(before.lockName === 'noted' && { metadata: { of: 'an operator' } }),
        });
        const [row] = await session.query<{ expire_time: Date }>(
          `SELECT date_trunc('milliseconds', expire_time) AS expire_time FROM dblock_lock WHERE lock_name = $1`,
          [before.lockName],
        );
        expect(expireTime).toEqual(row!.expire_time);
        const ttl = before.lockName === 'long' ? 3_600_000 : ttls[index % ttls.length]!;
        expect(timeLeft).toBeLessThanOrEqual(ttl);
        expect(timeLeft).toBeGreaterThan(ttl - 30_000);
        expect(Math.abs(expireTime.getTime() - serverTime.getTime() - timeLeft)).toBeLessThanOrEqual(1);
      }
      await store.release(requests);
    });

    it('by the clock after the row lock: one that has run out meanwhile is lost', async () => {
      const [lease] = leasesOf(await store.acquire([request('waiting')]));
      await session.lockRow('waiting');
      const renewing = store.renew([{ ...lease!, ttl: 60_000, held: lease }]);
      await session.awaitWaiter();
      await session.query(
        `UPDATE dblock_lock SET expire_time = clock_timestamp() WHERE lock_name = 'waiting'`,
      );
      await session.letGo();
      expect(await renewing).toMatchObject([{ outcome: 'lost' }]);
    });

    it('never for longer than they ask for, though one waits for its row', async () => {
      const leases = leasesOf(await store.acquire(['at once', 'later'].map((name) => request(name))));
      await session.lockRow('later');
      const renewing = store.renew(leases.map((held) => ({ ...held, ttl: 60_000, held })));
      await session.awaitWaiter();
      await session.query('SELECT pg_sleep(0.2)');
      await session.letGo();
      for (const answer of await renewing) {
        expect(answer.outcome).toBe('renewed');
        if (answer.outcome === 'renewed') expect(answer.lease.timeLeft).toBeLessThanOrEqual(60_000);
      }
    });

    it('by their tokens: a later lease of the same grant is another one', async () => {
      const asked = request('again');
      const [lease] = leasesOf(await store.acquire([asked]));
      await store.release([asked]);
      const [again] = leasesOf(await store.acquire([asked]));
      const renew = (held: LeaseRecord | undefined, ttl = 60_000) => ({ ...asked, ttl, held });
      expect(await store.renew([renew(lease)])).toMatchObject([{ outcome: 'lost' }]);
      expect(await store.renew([renew(again), { ...request('nobody'), held: undefined }])).toMatchObject([
        { outcome: 'renewed' },
        { outcome: 'lost' },
      ]);
      expect(await store.renew([renew(lease), { ...request('nobody'), held: undefined }])).toMatchObject([
        { outcome: 'lost' },
        { outcome: 'lost' },
      ]);
    });
  });

  it('tell the true time of a grant whose token runs ahead of the clock', async () => {
    const requests = ['ahead', 'beside'].map((name) => request(name));
    const [ahead, beside] = leasesOf(await store.acquire(requests)) as [LeaseRecord, LeaseRecord];
    await store.release(requests);
    const hour = 3_600_000_000; // as if the database's clock had been set back by it
    await session.query(`UPDATE dblock_lock SET token = token + ${hour} WHERE lock_name = 'ahead'`);
    const again = leasesOf(await store.acquire(['ahead', 'beside'].map((name) => request(name))));
    expect(again[0]!.fencingToken).toBe(ahead.fencingToken + hour + 1);
    expect(again[1]!.fencingToken).toBeGreaterThan(beside.fencingToken);
    for (const [index, name] of ['ahead', 'beside'].entries()) {
      const [row] = await session.query<{ lock_time: Date; expire_time: Date }>(
        `SELECT date_trunc('milliseconds', lock_time) AS lock_time, date_trunc('milliseconds', expire_time) AS expire_time
         FROM dblock_lock WHERE lock_name = '${name}'`,
      );
      expect(again[index]!.lockTime).toEqual(row!.lock_time);
      expect(again[index]!.expireTime).toEqual(row!.expire_time);
    }
  });
});

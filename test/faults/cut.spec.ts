import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, StoreUnavailableError } from 'nestjs-db-lock';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { CuttingProxy } from './cutting-proxy.js';
import { PostgresWitness } from './postgres-witness.js';

describe('a connection that the database ends in the packet which says that it is ready', () => {
  /** What PostgreSQL sends when it goes down. */
  const fields = [
    'SFATAL',
    'VFATAL',
    'C57P01',
    'Mterminating connection due to unexpected postmaster exit',
    '',
  ];
  const text = Buffer.from(fields.join('\0') + '\0');
  const FAREWELL = Buffer.concat([Buffer.from('E'), Buffer.alloc(4), text]);
  FAREWELL.writeUInt32BE(4 + text.length, 1);

  it('is replaced by another one, and ends no process', async () => {
    const database = await createTestDatabase();
    const proxy = await CuttingProxy.open(database.url);
    const app = await createLockApplication({ database: { type: 'postgres', url: proxy.url } });
    proxy.cut();
    const ended = proxy.endWhenReady(FAREWELL);
    const lease = await app.get(LockClient).acquire('job');
    await ended;
    await lease.release();
    await app.close();
    await proxy.close();
    await database.drop();
  });
});

describe('a connection that is cut after the database has committed (case 46)', () => {
  let database: TestDatabase;
  let proxy: CuttingProxy;
  let app: INestApplication;
  let locks: LockClient;
  let witness: PostgresWitness;
  let session: BlockingSession;

  beforeAll(async () => {
    database = await createTestDatabase();
    proxy = await CuttingProxy.open(database.url);
    app = await createLockApplication({ database: { type: 'postgres', url: proxy.url } });
    locks = app.get(LockClient);
    witness = new PostgresWitness(database.url);
    await witness.record();
    session = await BlockingSession.open(database.url);
  });

  afterAll(async () => {
    await session.close();
    await witness.close();
    await app.close();
    await proxy.close();
    await database.drop();
  });

  /** Takes and releases a lock until it is worth to try the shortcuts first. */
  const takeUpTheShortcut = async (name: string) => {
    for (let times = 0; times < 100; times++) await (await locks.acquire(name)).release();
  };

  const versionsOf = async (name: string) =>
    (await witness.rows()).filter(({ lockName }) => lockName === name);

  it.each([
    { of: 'new lock', name: 'new', statement: 'db_lock_lone_make' },
    { of: 'released lock', name: 'released', statement: 'db_lock_lone_take' },
    { of: 'lock whose lease has expired', name: 'expired', statement: 'db_lock_acquire' },
    { of: 'new lock beside another one', name: 'new several', statement: 'db_lock_acquire' },
    { of: 'released lock beside another one', name: 'several', statement: 'db_lock_acquire_released' },
  ])('makes one grant of an acquire of a $of, which the client repeats', async ({ name, statement }) => {
    if (name.startsWith('new'))
      for (let times = 0; times < 100; times++) await locks.acquire(`${name}:${times}`);
    else await takeUpTheShortcut(name);
    if (name === 'expired') {
      await locks.acquire(name, { ttl: '1s' });
      await session.awaitExpiry(name);
    }
    const cut = proxy.cutAnswerTo(`${statement}\0`);
    const names = name.endsWith('several') ? [name, `${name}:beside`] : [name];
    const leases = await Promise.all(names.map((lockName) => locks.acquire(lockName, { ttl: '60s' })));
    await cut;
    const [lease] = leases;
    const grants = (await versionsOf(name)).filter(({ grantId }) => grantId === lease!.grantId);
    expect(grants).toEqual([expect.objectContaining({ token: lease!.fencingToken })]);
    for (const held of leases) await held.release();
  });

  it('makes one grant of an acquire that the database still works on when it is repeated', async () => {
    await (await locks.acquire('overtaken')).release();
    await session.lockRow('overtaken');
    const acquiring = locks.acquire('overtaken', { ttl: '60s' });
    await session.awaitWaiter();
    proxy.cut();
    await session.letGo();
    const lease = await acquiring;
    const grants = (await versionsOf('overtaken')).filter(({ grantId }) => grantId === lease.grantId);
    expect(grants).toEqual([expect.objectContaining({ token: lease.fencingToken })]);
    await lease.release();
  });

  it('leaves a lease as it was when a renewal got no answer, and it can be renewed again', async () => {
    const lease = await locks.acquire('renewed', { ttl: '60s' });
    const { fencingToken, expireTime } = lease;
    const cut = proxy.cutAnswerTo('db_lock_renew');
    await expect(lease.renew('90s')).rejects.toThrow(StoreUnavailableError);
    await cut;
    expect(lease.expireTime).toEqual(expireTime);
    expect(lease.signal.aborted).toBe(false);
    await lease.renew('120s');
    expect(lease.fencingToken).toBe(fencingToken);
    await lease.release();
  });

  it.each([
    { statement: 'db_lock_lone_release', names: ['ended'] },
    { statement: 'db_lock_release', names: ['ended:one', 'ended:other'] },
  ])('ends a lease whose $statement is repeated, without calling it lost', async ({ statement, names }) => {
    await takeUpTheShortcut('another');
    const leases = await Promise.all(names.map((name) => locks.acquire(name, { ttl: '60s' })));
    const cut = proxy.cutAnswerTo(statement);
    await Promise.all(leases.map((lease) => lease.release()));
    await cut;
    for (const name of names) {
      expect(await versionsOf(name)).toHaveLength(2);
      await (await locks.acquire(name)).release();
    }
  });

  it('makes one grant of an acquire over HTTP, which the client repeats', async () => {
    const way = await CuttingProxy.open(await listen(app));
    const remote = new LockClient(
      { ttl: 60_000, workerName: 'remote', retries: 2 },
      new HttpTransport({ apiServer: new URL('dblock', way.url).href, requestTimeout: 5_000 }),
    );
    try {
      const cut = way.cutAnswerTo('POST /dblock/locks/remote/lease');
      const lease = await remote.acquire('remote');
      await cut;
      expect(await versionsOf('remote')).toEqual([
        expect.objectContaining({ grantId: lease.grantId, token: lease.fencingToken }),
      ]);
    } finally {
      await remote.close();
      await way.close();
    }
  });
});

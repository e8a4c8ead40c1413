import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { Lease } from 'nestjs-db-lock';
import { LockBusyError, LockClient, StoreUnavailableError } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { DataSource } from 'typeorm';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { openLockClient, type RemoteClient } from '../support/remote-client.js';

/** As logs show things: `console.log`, a logger that writes JSON, and one that looks everywhere. */
const SHOWN: Array<[string, (value: unknown) => string]> = [
  ['JSON.stringify', (value) => JSON.stringify(value)],
  ['console.log', (value) => inspect(value)],
  ['console.log of something that has it', (value) => inspect({ job: { value } })],
  [
    'util.inspect without bounds',
    (value) => inspect(value, { depth: null, showHidden: true, getters: true }),
  ],
];

describe.each(SHOWN)('%s', (_, show) => {
  let database: TestDatabase;
  let app: INestApplication;
  let remote: RemoteClient<LockClient>;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
    remote = await openLockClient({ apiServer: `${await listen(app)}/dblock` });
  });
  afterAll(async () => {
    await remote.close();
    await app.close();
    await database.drop();
  });

  const clients = (): LockClient[] => [app.get(LockClient), remote.client];

  function expectNoKey(shown: string, grantId: string): void {
    expect(shown).not.toContain(grantId);
    expect(shown).not.toMatch(/grantId|confirmation|observer|transport|controller/i);
  }

  const facts = ({ lockName, workerName, fencingToken, lockTime, expireTime }: Lease) => [
    lockName,
    workerName,
    String(fencingToken),
    lockTime.toISOString(),
    expireTime.toISOString(),
  ];

  it('shows what a lease is about, and never the key', async () => {
    for (const client of clients()) {
      await using lease = await client.acquire(`shown:${randomUUID()}`, { keepAlive: true });
      void lease.signal;
      const shown = show(lease);
      expectNoKey(shown, lease.grantId);
      for (const fact of facts(lease)) expect(shown).toContain(fact);
    }
  });

  it('shows what a set of leases is about, and never the keys', async () => {
    for (const client of clients()) {
      await using set = await client.acquireAll([`shown:${randomUUID()}`, `shown:${randomUUID()}`]);
      const shown = show(set);
      for (const lease of set.leases) {
        expectNoKey(shown, lease.grantId);
        for (const fact of facts(lease)) expect(shown).toContain(fact);
      }
    }
  });

  it('shows no key when it copies the properties first', async () => {
    for (const client of clients()) {
      await using lease = await client.acquire(`shown:${randomUUID()}`, { keepAlive: true });
      expectNoKey(show({ ...lease }), lease.grantId);
    }
  });

  it('shows no key in an error', async () => {
    for (const client of clients()) {
      const lockName = `shown:${randomUUID()}`;
      const lease = await client.acquire(lockName);
      const busy = await client.acquire(lockName).catch((error: unknown) => error);
      expect(busy).toBeInstanceOf(LockBusyError);
      expectNoKey(show(busy), lease.grantId);
      await lease.release();
      const lost = await lease.renew().catch((error: unknown) => error);
      expectNoKey(show(lost), lease.grantId);
    }
  });

  it('shows no key in what PostgreSQL tells of a row that it refuses', async () => {
    const dataSource = app.get(DataSource);
    await using lease = await app.get(LockClient).acquire(`guarded:${randomUUID()}`);
    await dataSource.query(
      `ALTER TABLE dblock_lock ADD CONSTRAINT short CHECK (expire_time < now() + interval '1 h')`,
    );
    const refused = await lease.renew('2h').catch((error: unknown) => error);
    await dataSource.query('ALTER TABLE dblock_lock DROP CONSTRAINT short');
    expect(refused).toBeInstanceOf(StoreUnavailableError);
    expectNoKey(show(refused), lease.grantId);
  });
});

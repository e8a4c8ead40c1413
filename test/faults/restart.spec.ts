import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient } from 'nestjs-db-lock';
import { createLockApplication } from '../support/lock-application.js';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';

describe('a lease that is held while the database', () => {
  let server: PostgresServer;
  let app: INestApplication;
  let locks: LockClient;

  beforeAll(async () => {
    server = await startPostgres();
    app = await createLockApplication({ database: { type: 'postgres', url: server.url } });
    locks = app.get(LockClient);
  });

  afterAll(async () => {
    await app.close();
    await server.stop();
  });

  it.each([
    ['is shut down and started', () => server.restart()],
    ['crashes and recovers', () => server.kill().then(() => server.restart())],
  ])('%s is still there, and can be renewed and released (case 47)', async (name, fault) => {
    const lease = await locks.acquire(name, { ttl: '10m', metadata: { job: 7 } });
    const { fencingToken, lockTime, expireTime } = lease;
    await fault();
    expect(await locks.inspect(name)).toMatchObject({
      state: 'held',
      fencingToken,
      lockTime,
      expireTime,
      metadata: { job: 7 },
    });
    expect(await locks.tryAcquire(name)).toBeNull();
    expect(lease.signal.aborted).toBe(false);
    await lease.renew('20m');
    expect(lease.expireTime.getTime()).toBeGreaterThan(expireTime.getTime());
    await lease.release();
    const next = await locks.acquire(name);
    expect(next.fencingToken).toBeGreaterThan(fencingToken);
    await next.release();
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, type StoreUnavailableError } from 'nestjs-db-lock';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';

describe('a grant whose wait for a synchronous standby was cancelled', () => {
  let server: PostgresServer;
  let app: INestApplication;
  let session: BlockingSession;

  beforeAll(async () => {
    server = await startPostgres();
    app = await createLockApplication({
      database: { type: 'postgres', url: server.url },
      features: [{ retries: 0 }],
    });
    session = await BlockingSession.open(server.url);
    await session.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
    await session.query('SELECT pg_reload_conf()');
  });

  afterAll(async () => {
    await session.query(`SET synchronous_commit = local`);
    await session.query(`ALTER SYSTEM RESET synchronous_standby_names`);
    await session.query('SELECT pg_reload_conf()');
    await session.close();
    await app.close();
    await server.stop();
  });

  it('is unknown, not granted', async () => {
    const acquiring = app
      .get(LockClient)
      .acquire('unconfirmed', { ttl: '60s' })
      .then(
        () => 'granted',
        (error: StoreUnavailableError) => error.code,
      );
    const cancel = () =>
      session.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE '%db-lock'`,
      );
    while ((await cancel()).length === 0);
    expect(await acquiring).toBe('STORE_UNAVAILABLE');
  });
});

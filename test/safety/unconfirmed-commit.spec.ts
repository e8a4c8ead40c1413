import { expect, it } from '@jest/globals';
import { LockClient } from 'nestjs-db-lock';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { startPostgres } from '../support/postgres-server.js';

it('a grant whose wait for a synchronous standby was cancelled is unknown, not granted', async () => {
  const server = await startPostgres();
  const app = await createLockApplication({
    database: { type: 'postgres', url: server.url },
    features: [{ retries: 0 }],
  });
  const session = await BlockingSession.open(server.url);
  await session.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
  await session.query('SELECT pg_reload_conf()');

  const acquiring = app.get(LockClient).acquire('unconfirmed', { ttl: '60s' });
  let cancelled = false;
  while (!cancelled) {
    const rows = await session.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%dblock_lock%'`,
    );
    cancelled = rows.length > 0;
  }
  await expect(acquiring).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });

  await session.query(`SET synchronous_commit = local`);
  await session.query(`ALTER SYSTEM RESET synchronous_standby_names`);
  await session.query('SELECT pg_reload_conf()');
  await session.close();
  await app.close();
  await server.stop();
});

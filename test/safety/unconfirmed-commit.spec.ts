import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, type StoreUnavailableError } from 'nestjs-db-lock';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { startPostgres, type PostgresServer } from '../support/postgres-server.js';

/** Milliseconds for what takes a moment. */
const PATIENCE = 30_000;

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
    await commitsWait();
  });

  afterAll(async () => {
    await session.query(`SET synchronous_commit = local`);
    await session.query(`ALTER SYSTEM RESET synchronous_standby_names`);
    await session.query('SELECT pg_reload_conf()');
    await session.close();
    await app.close();
    await server.stop();
  });

  /** Until the checkpointer has read the settings, too, commits wait for nobody. */
  async function commitsWait(): Promise<void> {
    const probe = await BlockingSession.open(server.url);
    const [{ pid }] = (await probe.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')) as [
      { pid: number },
    ];
    let isSeen = false;
    const write = async () => {
      while (!isSeen) await probe.query(`SELECT pg_logical_emit_message(true, '', '')`);
    };
    const waiting = until('a commit waits for the standby', PATIENCE, async () => {
      const sql = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'`;
      return (isSeen = (await session.query(sql, [pid])).length > 0);
    }).finally(() => (isSeen = true));
    const writing = write();
    await waiting;
    await session.query('SELECT pg_cancel_backend($1)', [pid]);
    await writing;
    await probe.close();
  }

  it('is unknown, not granted', async () => {
    let [isAnswered, cancelled] = [false, 0];
    const acquiring = app
      .get(LockClient)
      .acquire('unconfirmed', { ttl: '60s' })
      .then(
        () => 'granted',
        (error: StoreUnavailableError) => error.code,
      )
      .finally(() => (isAnswered = true));
    const cancel = () =>
      session.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE '%db-lock'`,
      );
    while (!isAnswered) cancelled += (await cancel()).length;
    expect(cancelled).toBeGreaterThan(0);
    expect(await acquiring).toBe('STORE_UNAVAILABLE');
  });
});

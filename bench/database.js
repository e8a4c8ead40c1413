import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const OTHERS = `
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;

const TERMINATE_OTHERS = `SELECT pg_terminate_backend(pid) FROM (${OTHERS}) AS others`;

/**
 * @typedef {object} Database
 * @property {string} url
 * @property {string} origin - which PostgreSQL it is, and how durable
 * @property {() => Promise<number[]>} pids - of the server's processes
 * @property {() => Promise<number>} countSessions - those of others in the database
 * @property {() => Promise<void>} endSessions - also of those that wait for a lock and can't see that their client is gone
 * @property {() => Promise<void>} close
 */

/**
 * An empty database on the PostgreSQL that TEST_DATABASE_URL names, else on one of our own with the server's durable
 * defaults. What starts it is the tests' code, in TypeScript: the loader is registered only here, after everything
 * else was loaded, because it would lead `nestjs-db-lock` to the sources instead of what was built.
 *
 * @param {Record<string, string>} [settings] - of the server, when it is our own
 * @returns {Promise<Database>}
 */
export async function openDatabase(settings) {
  await import('../test/support/typescript-loader.mjs');
  const { startPostgres } = await import('../test/support/postgres-server.ts');
  const { createTestDatabase } = await import('../test/support/test-database.ts');

  const given = process.env.TEST_DATABASE_URL;
  const server = given
    ? undefined
    : await startPostgres({ settings: { shared_buffers: '256MB', ...settings } });
  process.env.DB_LOCK_TEST_ADMIN_URL = given ?? server.url;
  const database = await createTestDatabase();

  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(
    `SELECT format('fsync %s, synchronous_commit %s', current_setting('fsync'), current_setting('synchronous_commit')) AS durability`,
  );
  return {
    url: database.url,
    origin: `${server?.origin ?? 'the PostgreSQL that TEST_DATABASE_URL names'}: ${rows[0].durability}`,
    countSessions: async () => (await client.query(OTHERS)).rowCount ?? 0,
    async endSessions() {
      while ((await client.query(TERMINATE_OTHERS)).rowCount) await sleep(20);
    },
    pids: async () => (await client.query('SELECT pid FROM pg_stat_activity')).rows.map(({ pid }) => pid),
    async close() {
      await client.end();
      await database.drop();
      await server?.stop();
    },
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { cpuOf, parentOf } from './cpu.js';

/** Room for a connection a caller, which some systems take. */
const SETTINGS = { shared_buffers: '256MB', max_connections: '700' };

/** What must be on for an answered commit to survive a crash. */
const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes'];

const OTHERS = `
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;

const TERMINATE_OTHERS = `SELECT pg_terminate_backend(pid) FROM (${OTHERS}) AS others`;

/**
 * The PostgreSQL that TEST_DATABASE_URL names, else one of our own with PostgreSQL's durable defaults. What starts it is
 * the tests' code, in TypeScript: the loader is registered only here, after everything else was loaded, because it would
 * lead `nestjs-db-lock` to the sources instead of what was built.
 *
 * @returns {Promise<import('./database.js').DatabaseServer>}
 */
export async function startPostgres() {
  await import('../../test/support/typescript-loader.mjs');
  const support = await import('../../test/support/postgres-server.ts');
  const { createTestDatabase } = await import('../../test/support/test-database.ts');

  const given = process.env.TEST_DATABASE_URL;
  const server = given === undefined ? await support.startPostgres({ settings: SETTINGS }) : undefined;
  const url = given ?? /** @type {string} */ (server?.url);
  process.env.DB_LOCK_TEST_ADMIN_URL = url;
  const client = await connect(url);
  const settings = await settingsOf(client);
  const postmaster = parentOf(await pidOf(client), 'postgres');
  return {
    kind: 'postgres',
    origin: `${server?.origin ?? `PostgreSQL ${settings.server_version}, which TEST_DATABASE_URL names`}: ${DURABILITY.map((name) => `${name} ${settings[name]}`).join(', ')}`,
    settings,
    doubts: DURABILITY.filter((name) => settings[name] === 'off').map((name) => `${name} is off`),
    cpu: () => (postmaster === undefined ? undefined : cpuOf(postmaster, 'postgres')),
    createDatabase: async () => openDatabase(await createTestDatabase()),
    async stop() {
      await client.end();
      await server?.stop();
    },
  };
}

/** @param {{ url: string, remove(): Promise<void> }} database @returns {Promise<import('./database.js').Database>} */
async function openDatabase({ url, remove }) {
  const client = await connect(url);
  return {
    kind: 'postgres',
    url,
    execute: async (sql) => void (await client.query(sql)),
    query: async (sql, values) => (await client.query(sql, values)).rows,
    countSessions: async () => (await client.query(OTHERS)).rowCount ?? 0,
    async endSessions() {
      while ((await client.query(TERMINATE_OTHERS)).rowCount) await sleep(20);
    },
    async drop() {
      await client.end();
      await remove();
    },
  };
}

/** @param {string} connectionString */
async function connect(connectionString) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}

/** @param {pg.Client} client @returns {Promise<Record<string, string>>} */
async function settingsOf(client) {
  const names = ['server_version', ...DURABILITY, 'wal_sync_method', ...Object.keys(SETTINGS)];
  const { rows } = await client.query(
    'SELECT name, current_setting(name) AS setting FROM unnest($1::text[]) AS name',
    [names],
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

/** @param {pg.Client} client @returns {Promise<number>} */
async function pidOf(client) {
  return (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
}

import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { buildPage } from '#support/built-page';
import { bundle } from '#support/bundle/bundle';
import { hasProgram } from '#support/system-program';
import { startPostgres, type PostgresServer } from '#support/postgres-server';

declare global {
  /** The server that globalSetup started, for globalTeardown to stop. */
  var sharedPostgres: PostgresServer | undefined;
}

/**
 * Provides one PostgreSQL for the whole jest run: the one that TEST_DATABASE_URL names, or else a server of our
 * own. The tests find it in DB_LOCK_TEST_ADMIN_URL; DB_LOCK_TEST_RUN names their databases.
 */
export default async function setUp(): Promise<void> {
  const { url, origin } = process.env.TEST_DATABASE_URL
    ? await useServer(process.env.TEST_DATABASE_URL)
    : await startServer();
  process.env.DB_LOCK_TEST_ADMIN_URL = url;
  process.env.DB_LOCK_TEST_RUN = randomUUID().slice(0, 8);
  process.stderr.write(`The tests use ${origin}.\n`);
  for (const program of ['redis-server', 'pgbouncer', 'chromium-headless-shell']) provide(program);
  provide('mariadbd', 'mariadb-server');
  await Promise.all([buildPage(), bundle()]);
}

/** Suites start servers of their own; the program is installed once, before the workers of jest would do it twice. */
function provide(program: string, debianPackage = program): void {
  hasProgram(program, 'all suites that need it', debianPackage);
}

async function useServer(url: string) {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return { url, origin: `PostgreSQL ${rows[0]?.server_version}, which TEST_DATABASE_URL names` };
  } catch (cause) {
    throw new Error(`The PostgreSQL that TEST_DATABASE_URL names does not answer: ${String(cause)}`, {
      cause,
    });
  } finally {
    await client.end();
  }
}

/** Its data need not survive anything, so it does without what makes them durable. */
async function startServer() {
  const server = await startPostgres({
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '500' },
  });
  globalThis.sharedPostgres = server;
  return server;
}

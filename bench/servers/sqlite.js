import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeDriver, findDriver, loadDriver, openFile } from '../systems/support/sqlite.js';

/**
 * No server: files, in a folder that does not outlive this process. What SQLite does costs the processes that call it. The
 * tests' code helps, as in {@link import('./postgres.js').startPostgres}.
 *
 * @param {{ sqliteDriver?: string }} choice
 * @returns {Promise<import('./database.js').DatabaseServer>}
 */
export async function startSqlite({ sqliteDriver }) {
  const driver = findDriver(sqliteDriver);
  await import('../../test/support/typescript-loader.mjs');
  const { OrphanGuard } = await import('../../test/support/orphan-guard.ts');

  const home = await mkdtemp(join(tmpdir(), 'db-lock-sqlite-'));
  const guard = new OrphanGuard(home);
  const { version } = new (loadDriver(driver))(':memory:')
    .prepare('SELECT sqlite_version() AS version')
    .get();
  let files = 0;
  return {
    kind: 'sqlite',
    origin: `SQLite ${version} by ${describeDriver(driver)}: journal_mode wal, synchronous full`,
    settings: { version, driver: describeDriver(driver) },
    doubts: [],
    cpu: () => 0,
    createDatabase: async () => openDatabase(join(home, `locks-${++files}.db`), driver),
    async stop() {
      guard.release();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** @param {string} file @param {string} driver @returns {import('./database.js').Database} */
function openDatabase(file, driver) {
  const url = pathToFileURL(file);
  url.searchParams.set('driver', driver);
  const connection = openFile(url.href);
  return {
    kind: 'sqlite',
    url: url.href,
    execute: async (sql) => void connection.exec(sql),
    query: async (sql, values) => connection.prepare(sql).all(...values),
    countSessions: async () => 0,
    endSessions: async () => undefined,
    async drop() {
      connection.close();
      for (const suffix of ['', '-wal', '-shm']) await rm(`${file}${suffix}`, { force: true });
    },
  };
}

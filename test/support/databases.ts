import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import libsql from 'libsql';
import { NodeSqlite } from '../../libs/db-lock/src/store/sqlite/node-sqlite.js';
import { createMariadbDatabase } from './mariadb-server.js';
import { startPgBouncer } from './pgbouncer.js';
import { createTestDatabase } from './test-database.js';

/** A database of a test's own. */
export interface TestStorage {
  /** Options for TypeORM; each call connects anew to the same data. */
  options(): TypeOrmModuleOptions;
  drop(): Promise<void>;
}

/** A database on the PostgreSQL of this test run. */
export async function postgresStorage(): Promise<TestStorage> {
  const { url, drop } = await createTestDatabase();
  return { options: () => ({ type: 'postgres', url, poolSize: 4, retryAttempts: 1 }), drop };
}

/** The same, behind a PgBouncer in transaction mode. */
export async function pgBouncerStorage(): Promise<TestStorage> {
  const database = await createTestDatabase();
  const { url, stop } = await startPgBouncer(database.url, 'transaction');
  return {
    options: () => ({ type: 'postgres', url, poolSize: 4, retryAttempts: 1 }),
    async drop() {
      await stop();
      await database.drop();
    },
  };
}

/** A file of SQLite in a directory of its own. */
export const sqliteStorage = (): Promise<TestStorage> => sqliteFile(libsql);

/** The same, by the SQLite that some versions of Node.js have built in. */
export const nodeSqliteStorage = (): Promise<TestStorage> => sqliteFile(NodeSqlite);

async function sqliteFile(driver: unknown): Promise<TestStorage> {
  const directory = await mkdtemp(join(tmpdir(), 'db-lock-sqlite-'));
  const database = join(directory, 'locks.db');
  return {
    options: () => ({ type: 'better-sqlite3', driver, database, retryAttempts: 0 }),
    drop: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A database on a MariaDB of this process. */
export async function mariadbStorage(): Promise<TestStorage> {
  const { url, drop } = await createMariadbDatabase();
  return { options: () => ({ type: 'mariadb', url, poolSize: 4, retryAttempts: 1 }), drop };
}

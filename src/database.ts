import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NodeSqlite } from 'nestjs-db-lock/sqlite';
import { ConfigurationError, type Configuration } from './configuration.js';

/** The file of the embedded database, in the data directory. */
const FILE = 'locks.db';

/** How to reach the database; its directory is made where it is a file. */
export async function databaseOptions({
  databaseUrl,
  dataDir,
}: Configuration): Promise<TypeOrmModuleOptions> {
  if (databaseUrl === undefined) return embedded(dataDir);
  const { protocol } = new URL(databaseUrl);
  if (protocol === 'sqlite:') return file(fileOf(databaseUrl));
  const type = protocol === 'mysql:' || protocol === 'mariadb:' ? protocol.slice(0, -1) : 'postgres';
  return { type: type as 'postgres', url: databaseUrl, poolSize: 2, retryAttempts: 3, retryDelay: 1000 };
}

/** Which database it is, for people. Never tells a password. */
export function nameOfDatabase({ databaseUrl, dataDir }: Configuration): string {
  if (databaseUrl === undefined) return `SQLite, in ${join(dataDir, FILE)}`;
  const { protocol, host } = new URL(databaseUrl);
  if (protocol === 'sqlite:') return `SQLite, in ${fileOf(databaseUrl)}`;
  const names: Record<string, string> = { 'mysql:': 'MySQL', 'mariadb:': 'MariaDB' };
  return `${names[protocol] ?? 'PostgreSQL'} at ${host}`;
}

/** Of `sqlite:locks.db` or `sqlite:///var/lib/locks.db`. */
export const fileOf = (url: string): string => decodeURIComponent(new URL(url).pathname);

function embedded(dataDir: string): Promise<TypeOrmModuleOptions> {
  if (existsSync(join(dataDir, 'PG_VERSION')))
    throw new ConfigurationError([
      `DB_LOCK_DATA_DIR=${dataDir} holds the database of an earlier version, PGlite; this one keeps SQLite. End who holds locks there, ` +
        'and remove the directory, or name another: new tokens are greater than the old ones all the same.',
    ]);
  return file(join(dataDir, FILE));
}

async function file(path: string): Promise<TypeOrmModuleOptions> {
  const database = resolve(path);
  mkdirSync(dirname(database), { recursive: true, mode: 0o700 });
  return { type: 'better-sqlite3', driver: await driver(), database, retryAttempts: 0 };
}

/** That of Node.js, else one whose binary comes inside of its package: neither needs a compiler. */
async function driver(): Promise<unknown> {
  if (NodeSqlite.isThere) return NodeSqlite;
  return (await import('libsql')).default;
}

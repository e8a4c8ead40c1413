import { LockTableMissingError } from 'nestjs-db-lock';
import type { Configuration } from './configuration.js';
import { nameOfDatabase } from './database.js';

/**
 * Why the server can't start, for somebody who has only its environment to change.
 * @param configuration undefined where that is what is wrong
 */
export function reasonOf(error: unknown, configuration?: Configuration): string {
  if (error instanceof LockTableMissingError && error.feature !== undefined)
    return (
      `${error.problem} Set DB_LOCK_CREATE_TABLES=true, and the server creates what is missing; or run the SQL that ` +
      `"npm run --silent sql -- --feature ${error.feature}${databaseFlag(configuration)}" prints on the database yourself.`
    );
  const reason = error instanceof Error ? error.message : String(error);
  return configuration && isOfSqlite(error) ? `${nameOfDatabase(configuration)}: ${reason}` : reason;
}

/** SQLite does not tell which file it is about. */
function isOfSqlite(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.includes('SQLITE_');
}

/** What the SQL is printed for, unless it is PostgreSQL. */
function databaseFlag(configuration?: Configuration): string {
  const { protocol } = new URL(configuration?.databaseUrl ?? 'sqlite:');
  const types: Record<string, string> = {
    'mysql:': 'mysql',
    'mariadb:': 'mariadb',
    'sqlite:': 'better-sqlite3',
  };
  return protocol in types ? ` --database ${types[protocol]}` : '';
}

import { DbLockConfigurationError } from '../lease/errors.js';
import type { Columns, Database, DataSourceAtHand } from './database.js';
import { mariadb, mysql } from './mysql/mysql.js';
import { postgres } from './postgres/postgres.js';
import { sqlite } from './sqlite/sqlite.js';

const DATABASES: readonly Database[] = [postgres, mysql, mariadb, sqlite];

/**
 * The database of a DataSource.
 * @throws DbLockConfigurationError when it is of a kind that we don't serve.
 */
export function databaseOf(dataSource: DataSourceAtHand): Database {
  const { type } = dataSource.options;
  const database = DATABASES.find(({ types }) => types.includes(type));
  if (database) return database.kindOf?.(dataSource) ?? database;
  const served = DATABASES.flatMap(({ name, types }) => types.map((one) => `"${one}" (${name})`));
  throw new DbLockConfigurationError(
    'dataSource',
    `a DataSource of type "${type}" can't hold locks; these types can: ${served.join(', ')}.`,
  );
}

/** How columns are made for a DataSource; for PostgreSQL where there is none yet. */
export const columnsOf = (dataSource: DataSourceAtHand | undefined): Columns =>
  (dataSource ? databaseOf(dataSource) : postgres).columns;

/** Whether we serve the database of a DataSource. */
export const isServed = ({ options: { type } }: DataSourceAtHand): boolean =>
  DATABASES.some(({ types }) => types.includes(type));

import type { DataSource } from 'typeorm';
import { DbLockConfigurationError } from '../lease/errors.js';
import type { Columns, Database } from './database.js';
import { postgres } from './postgres/postgres.js';
import { sqlite } from './sqlite/sqlite.js';

const DATABASES: readonly Database[] = [postgres, sqlite];

/**
 * The database of a DataSource.
 * @throws DbLockConfigurationError when it is of a kind that we don't serve.
 */
export function databaseOf({ options: { type } }: Pick<DataSource, 'options'>): Database {
  const database = DATABASES.find(({ types }) => types.includes(type));
  if (database) return database;
  const served = DATABASES.flatMap(({ name, types }) => types.map((one) => `"${one}" (${name})`));
  throw new DbLockConfigurationError(
    'dataSource',
    `a DataSource of type "${type}" can't hold locks; these types can: ${served.join(', ')}.`,
  );
}

/** How columns are made for a DataSource; for PostgreSQL where there is none yet. */
export const columnsOf = (dataSource: Pick<DataSource, 'options'> | undefined): Columns =>
  (dataSource ? databaseOf(dataSource) : postgres).columns;

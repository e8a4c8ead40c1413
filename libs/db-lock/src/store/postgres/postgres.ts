import { DbLockConfigurationError } from '../../lease/errors.js';
import type { Database } from '../database.js';
import { columns } from './columns.js';
import { PostgresStore } from './postgres-store.js';
import { schema } from './tables.js';
import { ENCODING } from './tables.sql.js';

/** PostgreSQL 14 and later. */
export const postgres: Database = {
  name: 'PostgreSQL',
  types: ['postgres'],
  columns,
  schema,
  open: (dataSource, options) => PostgresStore.open(dataSource, options),
  async check(dataSource) {
    const [row] = await dataSource.query<Array<{ encoding: string }>>(ENCODING.text);
    if (row!.encoding !== 'UTF8')
      throw new DbLockConfigurationError(
        'dataSource',
        `the database's encoding is ${row!.encoding}; locks need UTF8.`,
      );
  },
};

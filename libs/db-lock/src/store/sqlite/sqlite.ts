import type { Database } from '../database.js';
import { columns } from './columns.js';
import { SqliteStore } from './sqlite-store.js';
import { schema } from './tables.js';

/** SQLite 3.37 and later, in a file. */
export const sqlite: Database = {
  name: 'SQLite',
  types: ['better-sqlite3'],
  columns,
  schema,
  open: (dataSource, options) => SqliteStore.open(dataSource, options),
  check: async () => {},
};

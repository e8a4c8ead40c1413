import { Logger } from '@nestjs/common';
import type { BetterSqlite3DataSourceOptions } from 'typeorm/driver/better-sqlite3/BetterSqlite3DataSourceOptions.js';
import type { Database } from '../database.js';
import { columns } from './columns.js';
import { checkPlace } from './place.js';
import { SqliteStore } from './sqlite-store.js';
import { schema } from './tables.js';

/** SQLite 3.37 and later, in a file. */
export const sqlite: Database = {
  name: 'SQLite',
  types: ['better-sqlite3'],
  columns,
  schema,
  open: (dataSource, options) => SqliteStore.open(dataSource, options),
  async check(dataSource) {
    await checkPlace((dataSource.options as BetterSqlite3DataSourceOptions).database);
    const [row] = await dataSource.query<Array<{ synchronous: number }>>('PRAGMA synchronous');
    if (Number(row?.synchronous) === 0)
      new Logger('DbLock').warn(
        'The application writes to its SQLite file with synchronous = OFF: losing power may lose locks that were granted. Set it to NORMAL or FULL.',
      );
  },
};

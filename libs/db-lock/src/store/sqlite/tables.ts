import type { Schema } from '../database.js';
import {
  addHoldersSql,
  createFirstTablesSql,
  createTablesSql,
  dropFirstTablesSql,
  dropHoldersSql,
  tableColumnsSql,
  waiterModesSql,
} from './tables.sql.js';

interface ColumnRow {
  name: string;
  is_key: number | bigint;
  is_required: number | bigint;
  collation: string | null;
}

/** Nothing: the first migration makes the tables as they were then. */
const NOTHING = { up: () => [], down: () => [] };

export const schema: Schema = {
  create: createTablesSql,
  renew: (tables) => ({ waiter: waiterModesSql(tables) }),
  suit: () => [],

  migrations: [
    { up: createFirstTablesSql, down: dropFirstTablesSql },
    NOTHING,
    NOTHING,
    { up: addHoldersSql, down: dropHoldersSql },
  ],

  nameFault: () => undefined,

  async columns(database, table) {
    const rows = await database.query<ColumnRow[]>(tableColumnsSql(table));
    return rows.map(({ name, is_key, is_required, collation }) => ({
      name,
      isUnique: Number(is_key) === 1,
      isRequired: Number(is_required) === 1,
      collationFault: (collation ?? 'BINARY') === 'BINARY' ? undefined : 'COLLATE BINARY',
    }));
  },

  /** Not a transaction of TypeORM: one that reads first, as that does, fails where another process writes meanwhile. */
  async inTurn(dataSource, _table, create) {
    const queryRunner = dataSource.createQueryRunner();
    await queryRunner.query('BEGIN IMMEDIATE');
    try {
      await create(queryRunner);
      await queryRunner.query('COMMIT');
    } catch (error) {
      await queryRunner.query('ROLLBACK').catch(() => undefined); // what failed may have ended it
      throw error;
    }
  },

  inUse: () => undefined,
};

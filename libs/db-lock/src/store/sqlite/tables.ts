import type { Schema } from '../database.js';
import { createTablesSql, dropTablesSql, tableColumnsSql } from './tables.sql.js';

interface ColumnRow {
  name: string;
  is_key: number;
  is_required: number;
  collation: string | null;
}

/** Nothing: the first migration makes the tables as they are. */
const NOTHING = { up: () => [], down: () => [] };

export const schema: Schema = {
  create: createTablesSql,
  renew: () => ({}),
  suit: () => [],

  migrations: [
    { up: (tables, naming) => Object.values(createTablesSql(tables, naming)).flat(), down: dropTablesSql },
    NOTHING,
    NOTHING,
  ],

  nameFault: () => undefined,

  async columns(database, table) {
    const rows = await database.query<ColumnRow[]>(tableColumnsSql(table));
    return rows.map(({ name, is_key, is_required, collation }) => ({
      name,
      isUnique: is_key === 1,
      isRequired: is_required === 1,
      collationFault: (collation ?? 'BINARY') === 'BINARY' ? undefined : 'COLLATE BINARY',
    }));
  },

  // One connection, and one writer at a time: who comes second finds what is there.
  inTurn: (dataSource, _table, create) => dataSource.transaction(({ queryRunner }) => create(queryRunner!)),

  inUse: () => undefined,
};

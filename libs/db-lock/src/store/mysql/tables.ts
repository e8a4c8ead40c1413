import type { DataSource } from 'typeorm';
import type { Schema, TableColumn } from '../database.js';
import { bareName } from '../table-names.js';
import { COLLATIONS, type ServerKind } from './columns.js';
import {
  addHoldersSql,
  createFirstTablesSql,
  createTablesSql,
  dropFirstTablesSql,
  dropHoldersSql,
  endTurnSql,
  tableColumnsSql,
  tableEngineSql,
  takeTurnSql,
  waiterModesSql,
} from './tables.sql.js';

/** In characters. */
const MAX_TABLE_NAME = 64;

/** For how many seconds one waits for another who creates the same table. */
const TURN_PATIENCE = 60;

interface ColumnRow {
  name: string;
  collation_name: string | null;
  is_key: number | string | null;
  is_required: number | string | null;
}

/** Nothing: the first migration makes the tables as they were then. */
const NOTHING = { up: () => [], down: () => [] };

export function schemaOf(kind: ServerKind): Schema {
  return {
    create: (tables, naming) => createTablesSql(kind, tables, naming),

    renew: (tables) => ({ waiter: [waiterModesSql(tables)] }),

    suit: () => [],

    migrations: [
      { up: (tables, naming) => createFirstTablesSql(kind, tables, naming), down: dropFirstTablesSql },
      NOTHING,
      NOTHING,
      { up: (tables) => addHoldersSql(kind, tables), down: dropHoldersSql },
    ],

    nameFault(table) {
      const { length } = [...bareName(table)];
      return length > MAX_TABLE_NAME ? `has ${length} characters, MySQL takes ${MAX_TABLE_NAME}` : undefined;
    },

    async tableFault(database, table) {
      const [row] = await database.query<Array<{ engine: string | null }>>(tableEngineSql(table));
      return row && row.engine !== 'InnoDB'
        ? `it is a table of ${row.engine ?? 'no engine'}, which locks no rows: ALTER TABLE ${table} ENGINE = InnoDB.`
        : undefined;
    },

    async columns(database: Pick<DataSource, 'query'>, table: string): Promise<TableColumn[]> {
      const rows = await database.query<ColumnRow[]>(tableColumnsSql(table));
      return rows.map(({ name, collation_name, is_key, is_required }) => ({
        name,
        isUnique: Number(is_key) === 1,
        isRequired: Number(is_required) === 1,
        collationFault: comparesBytes(collation_name) ? undefined : `COLLATE ${COLLATIONS[kind]}`,
      }));
    },

    async inTurn(dataSource, table, create) {
      const queryRunner = dataSource.createQueryRunner('master');
      try {
        await queryRunner.query(takeTurnSql(table, TURN_PATIENCE));
        await create(queryRunner);
      } finally {
        // Without effect where it is somebody else's, or the connection is gone, and the turn with it.
        await queryRunner.query(endTurnSql(table)).catch(() => undefined);
        await queryRunner.release();
      }
    },

    inUse: () => undefined,
  };
}

/** Of numbers there is no collation. MariaDB may call one of a character set without its name. */
const comparesBytes = (collation: string | null) =>
  collation === null || collation === COLLATIONS.mysql || collation.endsWith('nopad_bin');

import { QueryFailedError, type DataSource } from 'typeorm';
import type { Schema, TableColumn } from '../database.js';
import { bareName } from '../table-names.js';
import { ROW_LOCKED, sqlState } from './errors.js';
import {
  addHistorySql,
  addHoldersSql,
  createTablesSql,
  CREATION_PATIENCE,
  CREATION_TURN,
  dropHistorySql,
  dropHoldersSql,
  dropTablesSql,
  histogramsSql,
  pageRoomSql,
  quoteTable,
  revertTablesSql,
  TABLE_COLUMNS,
  updateTablesSql,
  waiterModesSql,
} from './tables.sql.js';

/** PostgreSQL cuts longer names, in bytes, and would not find what it has made. */
const MAX_TABLE_NAME = 63;

/**
 * Milliseconds that we wait for a table which somebody reads or writes. Whoever comes behind us waits, too: less than a statement of
 * a running server waits for a lock.
 */
const PATIENCE = 500;

interface ColumnRow {
  name: string;
  deterministic: boolean;
  is_unique: boolean;
  is_required: boolean;
}

export const schema: Schema = {
  create: createTablesSql,

  renew: (tables, naming) => ({
    history: addHistorySql(tables, naming),
    statistics: histogramsSql(tables),
    waiter: [waiterModesSql(tables)],
  }),

  suit: (tables) => [pageRoomSql(tables)],

  migrations: [
    { up: (tables, naming) => Object.values(createTablesSql(tables, naming)).flat(), down: dropTablesSql },
    { up: addHistorySql, down: dropHistorySql },
    { up: updateTablesSql, down: revertTablesSql },
    { up: addHoldersSql, down: dropHoldersSql },
  ],

  nameFault(table) {
    const length = Buffer.byteLength(bareName(table));
    return length > MAX_TABLE_NAME ? `has ${length} bytes, PostgreSQL takes ${MAX_TABLE_NAME}` : undefined;
  },

  async columns(database: Pick<DataSource, 'query'>, table: string): Promise<TableColumn[]> {
    const rows = await database.query<ColumnRow[]>(TABLE_COLUMNS.text, [quoteTable(table)]);
    return rows.map(({ name, deterministic, is_unique, is_required }) => ({
      name,
      isUnique: is_unique,
      isRequired: is_required,
      collationFault: deterministic ? undefined : 'COLLATE "C"',
    }));
  },

  inTurn: (dataSource, table, create) =>
    dataSource.transaction(async ({ queryRunner }) => {
      await queryRunner!.query(CREATION_TURN.text, [table]);
      await queryRunner!.query(CREATION_PATIENCE.text, [String(PATIENCE)]);
      await create(queryRunner!);
    }),

  inUse: (table, error) =>
    error instanceof QueryFailedError && sqlState(error.driverError) === ROW_LOCKED
      ? `The table "${table}" must be brought up to date, but it was in use for ${PATIENCE} ms; to wait longer would keep everybody ` +
        'from it. Start again when those who use it are done: SELECT * FROM pg_stat_activity tells who they are.'
      : undefined,
};

import { DefaultNamingStrategy } from 'typeorm';
import type { IndexNaming } from '../database.js';
import type { TableNames } from '../table-names.js';

/** `shop_lock` → `"shop_lock"`. */
export const quoteTable = (name: string) => `"${name.replaceAll('"', '""')}"`;

const quoteText = (text: string) => `'${text.replaceAll("'", "''")}'`;

const HISTORY_INDEX = ['lock_name', 'event_time', 'id'];

/**
 * The statements that create each of a feature's tables. Times and tokens are whole microseconds since 1970.
 * Text compares byte by byte (BINARY), unless a column says otherwise. The locks are kept in the order of their names, without another
 * index. The history's ids are never used again (AUTOINCREMENT): who looks for what is new goes by them.
 */
export function createTablesSql(
  tables: TableNames,
  naming: IndexNaming = new DefaultNamingStrategy(),
): Record<keyof TableNames, string[]> {
  const table = (name: keyof TableNames) => `CREATE TABLE IF NOT EXISTS ${quoteTable(tables[name])}`;
  return {
    lock: [
      `${table('lock')} (
  "lock_name" text NOT NULL,
  "worker_name" text,
  "grant_id" text,
  "token" integer NOT NULL,
  "lock_time" integer NOT NULL,
  "expire_time" integer NOT NULL,
  "metadata" text,
  "row_version" integer NOT NULL DEFAULT (0),
  PRIMARY KEY ("lock_name")
) STRICT, WITHOUT ROWID`,
    ],
    history: [
      `${table('history')} (
  "id" integer PRIMARY KEY AUTOINCREMENT NOT NULL,
  "lock_name" text NOT NULL,
  "event" text NOT NULL,
  "worker_name" text,
  "grant_id" text,
  "token" integer,
  "actor" text,
  "reason" text,
  "details" text,
  "event_time" integer NOT NULL
) STRICT`,
      `CREATE INDEX IF NOT EXISTS ${quoteTable(naming.indexName(tables.history, HISTORY_INDEX))} ` +
        `ON ${quoteTable(tables.history)} (${HISTORY_INDEX.map(quoteTable).join(', ')})`,
    ],
    statistics: [
      `${table('statistics')} (
  "period" integer NOT NULL,
  "acquired" integer NOT NULL DEFAULT (0),
  "refused" integer NOT NULL DEFAULT (0),
  "waited" integer NOT NULL DEFAULT (0),
  "released" integer NOT NULL DEFAULT (0),
  "lost" integer NOT NULL DEFAULT (0),
  "expired" integer NOT NULL DEFAULT (0),
  "forced" integer NOT NULL DEFAULT (0),
  "hold_times" text NOT NULL,
  "wait_times" text NOT NULL,
  "contended" text NOT NULL,
  PRIMARY KEY ("period")
) STRICT, WITHOUT ROWID`,
    ],
    holder: [
      `${table('holder')} (
  "lock_name" text NOT NULL,
  "grant_id" text NOT NULL,
  "worker_name" text NOT NULL,
  "token" integer NOT NULL,
  "permits" integer NOT NULL,
  "permit_limit" integer,
  "lock_time" integer NOT NULL,
  "expire_time" integer NOT NULL,
  "release_time" integer,
  "metadata" text,
  "row_version" integer NOT NULL DEFAULT (0),
  PRIMARY KEY ("lock_name", "grant_id")
) STRICT, WITHOUT ROWID`,
    ],
    waiter: [
      `${table('waiter')} (
  "lock_name" text NOT NULL,
  "ticket" integer NOT NULL,
  "grant_id" text NOT NULL,
  "worker_name" text NOT NULL,
  "server" text NOT NULL,
  "permits" integer,
  "permit_limit" integer,
  "alive_until" integer NOT NULL,
  PRIMARY KEY ("lock_name", "ticket", "grant_id")
) STRICT, WITHOUT ROWID`,
    ],
  };
}

/** What waiters want of a lock in shared mode. */
const WAITER_MODES = ['permits', 'permit_limit'];

/** The statements that let waiters say it, where their table is of before that. */
export const waiterModesSql = ({ waiter }: TableNames): string[] =>
  WAITER_MODES.map((column) => `ALTER TABLE ${quoteTable(waiter)} ADD COLUMN "${column}" integer`);

/** The statements that undo it. */
const dropWaiterModesSql = ({ waiter }: TableNames): string[] =>
  WAITER_MODES.map((column) => `ALTER TABLE ${quoteTable(waiter)} DROP COLUMN "${column}"`);

/** The tables as they were before there were leases in shared mode. */
export function createFirstTablesSql(tables: TableNames, naming?: IndexNaming): string[] {
  const { holder: _, ...others } = createTablesSql(tables, naming);
  return [...Object.values(others).flat(), ...dropWaiterModesSql(tables)];
}

/** The statements that make room for leases in shared mode. */
export const addHoldersSql = (tables: TableNames): string[] => [
  ...createTablesSql(tables).holder,
  ...waiterModesSql(tables),
];

/** The statements that undo it. Leases in shared mode are lost. */
export const dropHoldersSql = (tables: TableNames): string[] => [
  `DROP TABLE ${quoteTable(tables.holder)}`,
  ...dropWaiterModesSql(tables),
];

/** The statements that drop the first tables. */
export const dropFirstTablesSql = (tables: TableNames): string[] =>
  [tables.waiter, tables.history, tables.lock, tables.statistics].map(
    (table) => `DROP TABLE ${quoteTable(table)}`,
  );

/** One row a column; none where there is no such table. `is_key`: no two rows have the same in it. */
export const tableColumnsSql = (table: string) => `
SELECT
  item.name,
  item.pk = 1 AND (SELECT count(*) FROM pragma_table_info(${quoteText(table)}) AS other WHERE other.pk > 0) = 1
    OR EXISTS (
      SELECT 1
      FROM pragma_index_list(${quoteText(table)}) AS list, pragma_index_info(list.name) AS part
      WHERE list."unique" = 1 AND list.partial = 0 AND part.name = item.name
        AND (SELECT count(*) FROM pragma_index_info(list.name)) = 1
    ) AS is_key,
  item."notnull" = 1 AND item.dflt_value IS NULL AND item.pk = 0 AS is_required,
  (SELECT key.coll
    FROM pragma_index_list(${quoteText(table)}) AS list, pragma_index_xinfo(list.name) AS key
    WHERE list.origin = 'pk' AND key.name = item.name) AS collation
FROM pragma_table_info(${quoteText(table)}) AS item`;

import { DefaultNamingStrategy } from 'typeorm';
import type { IndexNaming } from '../database.js';
import { bareName, type TableNames } from '../table-names.js';
import type { Statement } from './fragments.sql.js';

/** `billing.locks` → `"billing"."locks"`. */
export function quoteTable(path: string): string {
  return path.split('.').map(quoteName).join('.');
}

const quoteName = (name: string) => `"${name.replaceAll('"', '""')}"`;

const quoteText = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** `billing.locks` → `billing.`; empty for a table without a schema. */
const schemaOf = (path: string) => path.slice(0, -bareName(path).length);

/**
 * The statements that create each of a feature's tables.
 * fillfactor 50 and no index on anything that changes: every update of a lock stays on its page (HOT).
 * Waiters are UNLOGGED: who waits while the database crashes lines up again, so their rows need not survive it.
 */
export function createTablesSql(
  tables: TableNames,
  naming?: IndexNaming,
): Record<keyof TableNames, string[]> {
  const ifMissing = 'IF NOT EXISTS';
  return {
    lock: [
      `CREATE TABLE ${ifMissing} ${quoteTable(tables.lock)} (
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "worker_name" character varying(255),
  "grant_id" uuid,
  "token" bigint NOT NULL,
  "lock_time" TIMESTAMP WITH TIME ZONE NOT NULL,
  "expire_time" TIMESTAMP WITH TIME ZONE NOT NULL,
  "metadata" jsonb,
  PRIMARY KEY ("lock_name")
) WITH (fillfactor = 50)`,
    ],
    history: [
      `CREATE TABLE ${ifMissing} ${quoteTable(tables.history)} (
  "id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "event" character varying(16) NOT NULL,
  "worker_name" character varying(255),
  "grant_id" uuid,
  "token" bigint,
  "actor" character varying(255),
  "reason" text,
  "details" jsonb,
  "event_time" TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY ("id")
)`,
      historyIndexSql(tables, naming),
    ],
    statistics: [statisticsTableSql(tables)],
    holder: [holderTableSql(tables)],
    waiter: [
      `CREATE UNLOGGED TABLE ${ifMissing} ${quoteTable(tables.waiter)} (
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "ticket" bigint NOT NULL,
  "grant_id" uuid NOT NULL,
  "worker_name" character varying(255) NOT NULL,
  "server" uuid NOT NULL,
  "permits" bigint,
  "permit_limit" bigint,
  "alive_until" TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY ("lock_name", "ticket", "grant_id")
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,
    ],
  };
}

const HISTORY_INDEX = ['lock_name', 'event_time', 'id'];

const historyIndexName = ({ history }: TableNames, naming: IndexNaming = new DefaultNamingStrategy()) =>
  naming.indexName(history, HISTORY_INDEX);

const historyIndexSql = (tables: TableNames, naming?: IndexNaming) =>
  `CREATE INDEX IF NOT EXISTS ${quoteName(historyIndexName(tables, naming))} ON ${quoteTable(tables.history)} (` +
  `${HISTORY_INDEX.map(quoteName).join(', ')})`;

/** What the index was called before it was named as the DataSource names indexes. */
const formerIndexName = ({ history }: TableNames) => `${bareName(history)}_by_time`;

/** The statements that give the history's index the name it has by now, or make it where there is none. */
const renewIndexSql = (tables: TableNames, naming?: IndexNaming): string[] => [
  renameSql(tables.history, formerIndexName(tables), historyIndexName(tables, naming)),
  historyIndexSql(tables, naming),
];

/** The statement that undoes it. */
const formerIndexSql = (tables: TableNames, naming?: IndexNaming): string =>
  renameSql(tables.history, historyIndexName(tables, naming), formerIndexName(tables));

/** Renames an index of this table only: one of that name may belong to another table of the same schema. */
const renameSql = (table: string, from: string, to: string) => `DO $rename$ BEGIN
  IF EXISTS (
    SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = ${quoteText(quoteTable(table))}::regclass AND relname = ${quoteText(from)}::name
  ) THEN
    ALTER INDEX ${quoteTable(schemaOf(table) + from)} RENAME TO ${quoteName(to)};
  END IF;
END $rename$`;

const statisticsTableSql = ({
  statistics,
}: TableNames) => `CREATE TABLE IF NOT EXISTS ${quoteTable(statistics)} (
  "period" TIMESTAMP WITH TIME ZONE NOT NULL,
  "acquired" bigint NOT NULL DEFAULT 0,
  "refused" bigint NOT NULL DEFAULT 0,
  "waited" bigint NOT NULL DEFAULT 0,
  "released" bigint NOT NULL DEFAULT 0,
  "lost" bigint NOT NULL DEFAULT 0,
  "expired" bigint NOT NULL DEFAULT 0,
  "forced" bigint NOT NULL DEFAULT 0,
  "hold_times" jsonb NOT NULL,
  "wait_times" jsonb NOT NULL,
  "contended" jsonb NOT NULL,
  PRIMARY KEY ("period")
) WITH (fillfactor = 50)`;

/** Leases in shared mode. As with locks, every update stays on its page. */
const holderTableSql = ({ holder }: TableNames) => `CREATE TABLE IF NOT EXISTS ${quoteTable(holder)} (
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "grant_id" uuid NOT NULL,
  "worker_name" character varying(255) NOT NULL,
  "token" bigint NOT NULL,
  "permits" bigint NOT NULL,
  "permit_limit" bigint,
  "lock_time" TIMESTAMP WITH TIME ZONE NOT NULL,
  "expire_time" TIMESTAMP WITH TIME ZONE NOT NULL,
  "release_time" TIMESTAMP WITH TIME ZONE,
  "metadata" jsonb,
  PRIMARY KEY ("lock_name", "grant_id")
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`;

/** The statement that lets waiters say in which mode they want a lock. */
export const waiterModesSql = ({ waiter }: TableNames): string => `ALTER TABLE ${quoteTable(waiter)}
  ADD COLUMN IF NOT EXISTS "permits" bigint,
  ADD COLUMN IF NOT EXISTS "permit_limit" bigint`;

/** The statements that make room for leases in shared mode, where the tables are of before them. */
export const addHoldersSql = (tables: TableNames): string[] => [
  holderTableSql(tables),
  waiterModesSql(tables),
];

/** The statements that undo it. Leases in shared mode are lost. */
export const dropHoldersSql = (tables: TableNames): string[] => [
  `DROP TABLE ${quoteTable(tables.holder)}`,
  `ALTER TABLE ${quoteTable(tables.waiter)}
  DROP COLUMN "permits",
  DROP COLUMN "permit_limit"`,
];

/** The statements that make the first migration's history, which knew force releases only, one of all that happens. */
export function addHistorySql(tables: TableNames, naming?: IndexNaming): string[] {
  const history = quoteTable(tables.history);
  return [
    `ALTER TABLE ${history}
  ADD COLUMN IF NOT EXISTS "grant_id" uuid,
  ADD COLUMN IF NOT EXISTS "details" jsonb,
  ALTER COLUMN "token" DROP NOT NULL,
  ALTER COLUMN "actor" DROP NOT NULL,
  ALTER COLUMN "reason" DROP NOT NULL`,
    `DROP INDEX IF EXISTS ${quoteTable(`${tables.history}_by_name`)}`,
    ...renewIndexSql(tables, naming),
    statisticsTableSql(tables),
  ];
}

/** The statements that undo it. What the older table has no room for is deleted. */
export function dropHistorySql(tables: TableNames, naming?: IndexNaming): string[] {
  const history = quoteTable(tables.history);
  return [
    `DROP TABLE ${quoteTable(tables.statistics)}`,
    `DELETE FROM ${history} WHERE "event" <> 'forced'`,
    `ALTER TABLE ${history}
  DROP COLUMN "grant_id",
  DROP COLUMN "details",
  ALTER COLUMN "token" SET NOT NULL,
  ALTER COLUMN "actor" SET NOT NULL,
  ALTER COLUMN "reason" SET NOT NULL`,
    formerIndexSql(tables, naming),
    `DROP INDEX ${quoteTable(schemaOf(tables.history) + formerIndexName(tables))}`,
    `CREATE INDEX ${quoteName(`${bareName(tables.history)}_by_name`)} ON ${history} ("lock_name", "id")`,
  ];
}

/**
 * The statements that make histograms of what were arrays: other databases have none, and TypeORM reads the type of each array column
 * by a query beside others, which node-pg is going to refuse.
 */
export const histogramsSql = ({ statistics }: TableNames): string[] => [
  `ALTER TABLE ${quoteTable(statistics)}
  ADD COLUMN IF NOT EXISTS "hold_times" jsonb,
  ADD COLUMN IF NOT EXISTS "wait_times" jsonb`,
  `UPDATE ${quoteTable(statistics)} AS minute
SET "hold_times" = to_jsonb(minute) -> 'hold', "wait_times" = to_jsonb(minute) -> 'wait'
WHERE "hold_times" IS NULL`,
  `ALTER TABLE ${quoteTable(statistics)}
  ALTER COLUMN "hold_times" SET NOT NULL,
  ALTER COLUMN "wait_times" SET NOT NULL,
  DROP COLUMN IF EXISTS "hold",
  DROP COLUMN IF EXISTS "wait"`,
];

/** The statements that bring the tables of before the index's name and the histograms up to date. */
export const updateTablesSql = (tables: TableNames, naming?: IndexNaming): string[] => [
  ...renewIndexSql(tables, naming),
  ...histogramsSql(tables),
];

/** The statements that undo it. */
export const revertTablesSql = (tables: TableNames, naming?: IndexNaming): string[] => [
  formerIndexSql(tables, naming),
  `ALTER TABLE ${quoteTable(tables.statistics)}
  ADD COLUMN "hold" bigint array,
  ADD COLUMN "wait" bigint array`,
  `UPDATE ${quoteTable(tables.statistics)}
SET "hold" = translate("hold_times"::text, '[]', '{}')::bigint array, "wait" = translate("wait_times"::text, '[]', '{}')::bigint array`,
  `ALTER TABLE ${quoteTable(tables.statistics)}
  ALTER COLUMN "hold" SET NOT NULL,
  ALTER COLUMN "wait" SET NOT NULL,
  DROP COLUMN "hold_times",
  DROP COLUMN "wait_times"`,
];

/** Leaves room on each page for new versions of its rows, in a table that others have created. */
export const pageRoomSql = (tables: TableNames): string =>
  `ALTER TABLE ${quoteTable(tables.lock)} SET (fillfactor = 50)`;

/** The statements that drop them. The last ones may be gone before, with their own migrations. */
export function dropTablesSql(tables: TableNames): string[] {
  return [
    ...[tables.waiter, tables.history, tables.lock].map((table) => `DROP TABLE ${quoteTable(table)}`),
    ...[tables.statistics, tables.holder].map((table) => `DROP TABLE IF EXISTS ${quoteTable(table)}`),
  ];
}

/** $1 the table. Waits until nobody else is creating it; held until the transaction ends. */
export const CREATION_TURN: Statement = {
  name: 'db_lock_creation_turn',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('nestjs-db-lock ' || $1, 0))`,
};

/** $1 milliseconds that a statement waits for a table that somebody else uses, until the transaction ends. */
export const CREATION_PATIENCE: Statement = {
  name: 'db_lock_creation_patience',
  text: `SELECT set_config('lock_timeout', $1, true)`,
};

/** What a start-up must know: $1 the table, quoted. One row a column, none when there is no such table. */
export const TABLE_COLUMNS: Statement = {
  name: 'db_lock_table_columns',
  text: `
SELECT
  attribute.attname AS name,
  coalesce(collation_.collisdeterministic, true) AS deterministic,
  EXISTS (
    SELECT FROM pg_index
    WHERE indrelid = attribute.attrelid AND indisunique AND indpred IS NULL
      AND indnkeyatts = 1 AND indkey[0] = attribute.attnum
  ) AS is_unique,
  attribute.attnotnull AND NOT attribute.atthasdef AND attribute.attidentity = '' AS is_required
FROM pg_attribute AS attribute
LEFT JOIN pg_collation AS collation_ ON collation_.oid = attribute.attcollation
WHERE attribute.attrelid = to_regclass($1) AND attribute.attnum > 0 AND NOT attribute.attisdropped`,
};

/** How the database writes text. */
export const ENCODING: Statement = {
  name: 'db_lock_encoding',
  text: `SELECT current_setting('server_encoding') AS encoding`,
};

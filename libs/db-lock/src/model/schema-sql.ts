/** The tables of one feature, as they are written in SQL (with their schema, when they have one). */
export interface TableNames {
  lock: string;
  history: string;
  waiter: string;
  statistics: string;
}

/** `billing.locks` → `"billing"."locks"`. */
export function quoteTable(path: string): string {
  return path
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

function bareName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** The statements that create a feature's tables. */
export const createTablesSql = (tables: TableNames): string[] => Object.values(tableSql(tables)).flat();

/**
 * The statements that create each of them.
 * fillfactor 50 and no index on anything that changes: every update of a lock stays on its page (HOT).
 * Waiters are UNLOGGED: who waits while the database crashes lines up again, so their rows need not survive it.
 */
export function tableSql(tables: TableNames): Record<keyof TableNames, string[]> {
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
      historyIndexSql(tables),
    ],
    statistics: [statisticsTableSql(tables)],
    waiter: [
      `CREATE UNLOGGED TABLE ${ifMissing} ${quoteTable(tables.waiter)} (
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "ticket" bigint NOT NULL,
  "grant_id" uuid NOT NULL,
  "worker_name" character varying(255) NOT NULL,
  "server" uuid NOT NULL,
  "alive_until" TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY ("lock_name", "ticket", "grant_id")
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,
    ],
  };
}

const historyIndexSql = ({ history }: TableNames) =>
  `CREATE INDEX IF NOT EXISTS "${bareName(history)}_by_time" ON ${quoteTable(history)} ("lock_name", "event_time", "id")`;

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
  "hold" bigint array NOT NULL,
  "wait" bigint array NOT NULL,
  "contended" jsonb NOT NULL,
  PRIMARY KEY ("period")
) WITH (fillfactor = 50)`;

/** The statements that make the first migration's history, which knew force releases only, one of all that happens. */
export function addHistorySql(tables: TableNames): string[] {
  const history = quoteTable(tables.history);
  const schema = tables.history.slice(0, -bareName(tables.history).length);
  return [
    `ALTER TABLE ${history}
  ADD COLUMN IF NOT EXISTS "grant_id" uuid,
  ADD COLUMN IF NOT EXISTS "details" jsonb,
  ALTER COLUMN "token" DROP NOT NULL,
  ALTER COLUMN "actor" DROP NOT NULL,
  ALTER COLUMN "reason" DROP NOT NULL`,
    `DROP INDEX IF EXISTS ${quoteTable(`${schema}${bareName(tables.history)}_by_name`)}`,
    historyIndexSql(tables),
    statisticsTableSql(tables),
  ];
}

/** The statements that undo it. What the older table has no room for is deleted. */
export function dropHistorySql(tables: TableNames): string[] {
  const history = quoteTable(tables.history);
  const schema = tables.history.slice(0, -bareName(tables.history).length);
  return [
    `DROP TABLE ${quoteTable(tables.statistics)}`,
    `DELETE FROM ${history} WHERE "event" <> 'forced'`,
    `ALTER TABLE ${history}
  DROP COLUMN "grant_id",
  DROP COLUMN "details",
  ALTER COLUMN "token" SET NOT NULL,
  ALTER COLUMN "actor" SET NOT NULL,
  ALTER COLUMN "reason" SET NOT NULL`,
    `DROP INDEX ${quoteTable(`${schema}${bareName(tables.history)}_by_time`)}`,
    `CREATE INDEX "${bareName(tables.history)}_by_name" ON ${history} ("lock_name", "id")`,
  ];
}

/** Leaves room on each page for new versions of its rows, in a table that others have created. */
export const pageRoomSql = (tables: TableNames): string =>
  `ALTER TABLE ${quoteTable(tables.lock)} SET (fillfactor = 50)`;

/** The statements that drop them. The last one may be gone before, with its own migration. */
export function dropTablesSql(tables: TableNames): string[] {
  return [
    ...[tables.waiter, tables.history, tables.lock].map((table) => `DROP TABLE ${quoteTable(table)}`),
    `DROP TABLE IF EXISTS ${quoteTable(tables.statistics)}`,
  ];
}

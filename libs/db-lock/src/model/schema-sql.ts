/** The tables of one feature, as they are written in SQL (with their schema, when they have one). */
export interface TableNames {
  lock: string;
  history: string;
  waiter: string;
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

/**
 * The statements that create a feature's tables.
 * fillfactor 50 and no index on anything that changes: every update of a lock stays on its page (HOT).
 * Waiters are UNLOGGED: who waits while the database crashes lines up again, so their rows need not survive it.
 */
export function createTablesSql(tables: TableNames): string[] {
  const ifMissing = 'IF NOT EXISTS';
  return [
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
    `CREATE TABLE ${ifMissing} ${quoteTable(tables.history)} (
  "id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "event" character varying(16) NOT NULL,
  "worker_name" character varying(255),
  "token" bigint NOT NULL,
  "actor" character varying(255) NOT NULL,
  "reason" text NOT NULL,
  "event_time" TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY ("id")
)`,
    `CREATE INDEX ${ifMissing} "${bareName(tables.history)}_by_name" ON ${quoteTable(tables.history)} ("lock_name", "id")`,
    `CREATE UNLOGGED TABLE ${ifMissing} ${quoteTable(tables.waiter)} (
  "lock_name" character varying(255) COLLATE "C" NOT NULL,
  "ticket" bigint NOT NULL,
  "grant_id" uuid NOT NULL,
  "worker_name" character varying(255) NOT NULL,
  "server" uuid NOT NULL,
  "alive_until" TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY ("lock_name", "ticket", "grant_id")
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,
  ];
}

/** Leaves room on each page for new versions of its rows, in a table that others have created. */
export const pageRoomSql = (tables: TableNames): string =>
  `ALTER TABLE ${quoteTable(tables.lock)} SET (fillfactor = 50)`;

/** The statements that drop them. */
export function dropTablesSql(tables: TableNames): string[] {
  return [tables.waiter, tables.history, tables.lock].map((table) => `DROP TABLE ${quoteTable(table)}`);
}

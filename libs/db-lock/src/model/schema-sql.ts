/** The tables of one feature, as they are written in SQL (with their schema, when they have one). */
export interface TableNames {
  lock: string;
  history: string;
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
  ];
}

/** Leaves room on each page for new versions of its rows, in a table that others have created. */
export const pageRoomSql = (tables: TableNames): string =>
  `ALTER TABLE ${quoteTable(tables.lock)} SET (fillfactor = 50)`;

/** The statements that drop them. */
export function dropTablesSql(tables: TableNames): string[] {
  return [`DROP TABLE ${quoteTable(tables.history)}`, `DROP TABLE ${quoteTable(tables.lock)}`];
}

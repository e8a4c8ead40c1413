import { DefaultNamingStrategy } from 'typeorm';
import type { IndexNaming } from '../database.js';
import type { TableNames } from '../table-names.js';
import { COLLATIONS, type ServerKind } from './columns.js';
import { quoteName, quoteTable, quoteText } from './fragments.sql.js';

const HISTORY_INDEX = ['lock_name', 'event_time', 'id'];

/**
 * The statements that create each of a feature's tables.
 * InnoDB locks rows, and DYNAMIC has room for 255 characters of 4 bytes in a key. No index on anything that changes.
 */
export function createTablesSql(
  kind: ServerKind,
  tables: TableNames,
  naming: IndexNaming = new DefaultNamingStrategy(),
): Record<keyof TableNames, string[]> {
  const collated = `CHARACTER SET utf8mb4 COLLATE ${COLLATIONS[kind]}`;
  const name = `varchar(255) ${collated}`;
  const json = `mediumtext ${collated}`;
  const event = 'varchar(16) CHARACTER SET ascii COLLATE ascii_bin';
  const uuid = 'char(36) CHARACTER SET ascii COLLATE ascii_bin';
  const storage = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC';
  const index = quoteName(naming.indexName(tables.history, HISTORY_INDEX));
  return {
    lock: [
      `CREATE TABLE IF NOT EXISTS ${quoteTable(tables.lock)} (
  \`lock_name\` ${name} NOT NULL,
  \`worker_name\` ${name} NULL,
  \`grant_id\` ${uuid} NULL,
  \`token\` bigint NOT NULL,
  \`lock_time\` bigint NOT NULL,
  \`expire_time\` bigint NOT NULL,
  \`metadata\` ${json} NULL,
  \`row_version\` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (\`lock_name\`)
) ${storage}`,
    ],
    history: [
      `CREATE TABLE IF NOT EXISTS ${quoteTable(tables.history)} (
  \`id\` bigint NOT NULL AUTO_INCREMENT,
  \`lock_name\` ${name} NOT NULL,
  \`event\` ${event} NOT NULL,
  \`worker_name\` ${name} NULL,
  \`grant_id\` ${uuid} NULL,
  \`token\` bigint NULL,
  \`actor\` ${name} NULL,
  \`reason\` text ${collated} NULL,
  \`details\` ${json} NULL,
  \`event_time\` bigint NOT NULL,
  PRIMARY KEY (\`id\`),
  KEY ${index} (${HISTORY_INDEX.map(quoteName).join(', ')})
) ${storage}`,
    ],
    statistics: [
      `CREATE TABLE IF NOT EXISTS ${quoteTable(tables.statistics)} (
  \`period\` bigint NOT NULL,
  \`acquired\` bigint NOT NULL DEFAULT 0,
  \`refused\` bigint NOT NULL DEFAULT 0,
  \`waited\` bigint NOT NULL DEFAULT 0,
  \`released\` bigint NOT NULL DEFAULT 0,
  \`lost\` bigint NOT NULL DEFAULT 0,
  \`expired\` bigint NOT NULL DEFAULT 0,
  \`forced\` bigint NOT NULL DEFAULT 0,
  \`hold_times\` ${json} NOT NULL,
  \`wait_times\` ${json} NOT NULL,
  \`contended\` ${json} NOT NULL,
  PRIMARY KEY (\`period\`)
) ${storage}`,
    ],
    holder: [
      `CREATE TABLE IF NOT EXISTS ${quoteTable(tables.holder)} (
  \`lock_name\` ${name} NOT NULL,
  \`grant_id\` ${uuid} NOT NULL,
  \`worker_name\` ${name} NOT NULL,
  \`token\` bigint NOT NULL,
  \`permits\` bigint NOT NULL,
  \`permit_limit\` bigint NULL,
  \`lock_time\` bigint NOT NULL,
  \`expire_time\` bigint NOT NULL,
  \`release_time\` bigint NULL,
  \`metadata\` ${json} NULL,
  \`row_version\` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (\`lock_name\`, \`grant_id\`)
) ${storage}`,
    ],
    waiter: [
      `CREATE TABLE IF NOT EXISTS ${quoteTable(tables.waiter)} (
  \`lock_name\` ${name} NOT NULL,
  \`ticket\` bigint NOT NULL,
  \`grant_id\` ${uuid} NOT NULL,
  \`worker_name\` ${name} NOT NULL,
  \`server\` ${uuid} NOT NULL,
  \`permits\` bigint NULL,
  \`permit_limit\` bigint NULL,
  \`alive_until\` bigint NOT NULL,
  PRIMARY KEY (\`lock_name\`, \`ticket\`, \`grant_id\`)
) ${storage}`,
    ],
  };
}

/** The statement that lets waiters say what they want of a lock in shared mode, where their table is of before that. */
export const waiterModesSql = ({ waiter }: TableNames): string =>
  `ALTER TABLE ${quoteTable(waiter)} ADD COLUMN \`permits\` bigint NULL, ADD COLUMN \`permit_limit\` bigint NULL`;

/** The statement that undoes it. */
const dropWaiterModesSql = ({ waiter }: TableNames): string =>
  `ALTER TABLE ${quoteTable(waiter)} DROP COLUMN \`permits\`, DROP COLUMN \`permit_limit\``;

/** The tables as they were before there were leases in shared mode. */
export function createFirstTablesSql(kind: ServerKind, tables: TableNames, naming?: IndexNaming): string[] {
  const { holder: _, ...others } = createTablesSql(kind, tables, naming);
  return [...Object.values(others).flat(), dropWaiterModesSql(tables)];
}

/** The statements that make room for leases in shared mode. */
export const addHoldersSql = (kind: ServerKind, tables: TableNames): string[] => [
  ...createTablesSql(kind, tables).holder,
  waiterModesSql(tables),
];

/** The statements that undo it. Leases in shared mode are lost. */
export const dropHoldersSql = (tables: TableNames): string[] => [
  `DROP TABLE ${quoteTable(tables.holder)}`,
  dropWaiterModesSql(tables),
];

/** The statements that drop the first tables. */
export const dropFirstTablesSql = (tables: TableNames): string[] =>
  [tables.waiter, tables.history, tables.statistics, tables.lock].map(
    (table) => `DROP TABLE ${quoteTable(table)}`,
  );

/** How the schema of the server calls a table, which may stand with its database's name. */
function inSchema(path: string): string {
  const [table, database] = path.split('.').toReversed() as [string, string?];
  return `TABLE_SCHEMA = ${database === undefined ? 'DATABASE()' : quoteText(database)} AND TABLE_NAME = ${quoteText(table)}`;
}

/** What a start-up must know of a table: one row a column, none when there is no such table. */
export const tableColumnsSql = (table: string) => `SELECT
  COLUMN_NAME AS name,
  COLLATION_NAME AS collation_name,
  COLUMN_KEY = 'PRI' AND (
    SELECT COUNT(*) FROM information_schema.STATISTICS WHERE ${inSchema(table)} AND INDEX_NAME = 'PRIMARY'
  ) = 1 AS is_key,
  IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA = '' AS is_required
FROM information_schema.COLUMNS
WHERE ${inSchema(table)}
ORDER BY ORDINAL_POSITION`;

export const tableEngineSql = (table: string) =>
  `SELECT ENGINE AS engine FROM information_schema.TABLES WHERE ${inSchema(table)}`;

const turnOf = (table: string) =>
  `CONCAT('nestjs-db-lock ', MD5(CONCAT(DATABASE(), ' ', ${quoteText(table)})))`;

/** Waits until nobody else is creating the table, so many seconds at most; held until it is given back. */
export const takeTurnSql = (table: string, seconds: number) =>
  `SELECT GET_LOCK(${turnOf(table)}, ${seconds}) AS is_ours`;

export const endTurnSql = (table: string) => `DO RELEASE_LOCK(${turnOf(table)})`;

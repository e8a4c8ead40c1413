import { startMysql } from './mysql.js';
import { startPostgres } from './postgres.js';
import { startSqlite } from './sqlite.js';

/** @typedef {import('../databases.js').DatabaseKind} DatabaseKind */

/** @typedef {{ database: DatabaseKind, sqliteDriver?: string }} DatabaseChoice */

/**
 * @typedef {object} DatabaseServer
 * @property {DatabaseKind} kind
 * @property {string} origin - which one it is, and how durable
 * @property {Record<string, string>} settings - its version, and what its speed depends on
 * @property {string[]} doubts - why an answered commit may get lost
 * @property {() => number | undefined} cpu - that it has used so far, in µs; undefined when it can't be seen
 * @property {() => Promise<Database>} createDatabase
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {object} Database
 * @property {DatabaseKind} kind
 * @property {string} url
 * @property {(sql: string) => Promise<void>} execute - also several statements, always in the same session
 * @property {(sql: string, values: unknown[]) => Promise<any[]>} query - resolves with the rows
 * @property {() => Promise<number>} countSessions - those of others
 * @property {() => Promise<void>} endSessions - also of those that wait for a lock and can't see that their client is gone
 * @property {() => Promise<void>} drop
 */

/** @type {Record<DatabaseKind, (choice: DatabaseChoice) => Promise<DatabaseServer>>} */
const START = {
  postgres: startPostgres,
  sqlite: startSqlite,
  mysql: startMysql,
};

/** @param {DatabaseChoice} choice */
export const startDatabase = (choice) => START[choice.database](choice);

import mysql from 'mysql2/promise';
import { CONNECTIONS } from './pool.js';

/** Microseconds since 1970 when the statement began, in whatever time zone. */
export const NOW = `TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6))`;

/**
 * A pool whose connections are open before it is measured. It counts the rows that a statement changes, not those that it
 * finds.
 *
 * @param {string} uri
 * @param {object} [options]
 * @param {readonly string[]} [options.settings] - statements that prepare each session
 * @param {number} [options.connections]
 */
export async function openPool(uri, { settings = [], connections = CONNECTIONS } = {}) {
  const pool = mysql.createPool({
    uri,
    connectionLimit: connections,
    maxIdle: connections,
    flags: ['-FOUND_ROWS'],
    multipleStatements: true,
  });
  const open = await Promise.all(Array.from({ length: connections }, () => pool.getConnection()));
  for (const connection of open) {
    for (const statement of settings) await connection.query(statement);
    connection.release();
  }
  return pool;
}

import mysql, { type PoolConnection, type PoolOptions } from 'mysql2';
import { TURN } from '../../libs/db-lock/src/store/wait-queue.js';
import { tamper, type Tampering } from './tampering.js';

type Query = (query: string | { sql: string }, ...rest: unknown[]) => unknown;

/** Rows may be locked for as long as a test likes. */
export const PATIENT: Tampering = {
  pattern: /innodb_lock_wait_timeout = \d+/,
  replacement: 'innodb_lock_wait_timeout = 60',
};

/** A lock that came free is kept for the first in its queue for as long as a slow machine may need. */
export const LONG_TURN: Tampering = {
  pattern: new RegExp(` - ${TURN}000\\b`, 'g'),
  replacement: ' - 60000000',
};

/** A `driver` for TypeORM: mysql2, which changes packets on their way to the database. */
export function tamperedMariadb(tamperings: readonly Tampering[]): unknown {
  const changed: (query: Parameters<Query>[0]) => Parameters<Query>[0] = (query) =>
    typeof query === 'string'
      ? tamper(query, tamperings)
      : Object.assign(query, { sql: tamper(query.sql, tamperings) });
  const createPool = (options: PoolOptions) => {
    const pool = mysql.createPool(options);
    pool.on('connection', (connection: PoolConnection) => {
      const query = connection.query.bind(connection) as Query;
      Object.assign(connection, {
        query: ((first, ...rest) => query(changed(first), ...rest)) satisfies Query,
      });
    });
    return pool;
  };
  return { ...mysql, createPool };
}

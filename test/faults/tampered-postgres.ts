import pg from 'pg';
import { TURN } from '../../libs/db-lock/src/store/wait-queue.js';
import { tamper, type Tampering } from './tampering.js';

/** A lock that came free is kept for the first in its queue for as long as a slow machine may need, in all that is decided by it. */
export const LONG_TURN: Tampering = {
  pattern: new RegExp(`\\b${TURN} \\* interval '1 millisecond'`, 'g'),
  replacement: `60000 * interval '1 millisecond'`,
};

/** A `driver` for TypeORM: node-postgres, which changes statements on their way to the database. */
export function tamperedPostgres(...tamperings: readonly Tampering[]): object {
  const tampered = (sql: string) => tamper(sql, tamperings);

  class TamperedClient extends pg.Client {
    override query = ((query: string | { text: string }, ...rest: unknown[]) => {
      const changed =
        typeof query === 'string' ? tampered(query) : Object.assign(query, { text: tampered(query.text) });
      return (pg.Client.prototype.query as (...args: unknown[]) => unknown).call(this, changed, ...rest);
    }) as pg.Client['query'];
  }

  return {
    Pool: class extends pg.Pool {
      constructor(options: pg.PoolConfig) {
        super({ ...options, Client: TamperedClient as unknown as new () => pg.Client });
      }
    },
  };
}

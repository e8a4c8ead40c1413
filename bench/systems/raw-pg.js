import { randomUUID } from 'node:crypto';
import { dbLockSchemaSql } from 'nestjs-db-lock';
import { postgresStatements, sessionSettings } from '../../libs/db-lock/dist/store/postgres.dialect.js';
import { openPool } from './pool.js';

/**
 * Our statements, prepared and with our session settings, sent one by one over a pool: what remains of a lock without
 * the library.
 *
 * @param {string} url
 * @returns {Promise<import('../measurement.js').System>}
 */
export async function openRawPg(url) {
  const statements = postgresStatements({ lock: 'raw_lock', history: 'raw_history', waiter: 'raw_waiter' });
  const pool = await openPool(url, {
    settings: sessionSettings('acquire', { statement: 5_000, rowLock: 1_000 }),
  });
  await pool.query(dbLockSchemaSql({ feature: 'raw' }));

  const only = (/** @type {import('pg').QueryResult} */ { rowCount }) => {
    if (rowCount !== 1) throw new Error(`${rowCount} rows instead of one`);
  };
  return {
    name: 'raw pg, pool of 16',
    async cycle(lockName) {
      const grantId = randomUUID();
      const acquire = [[lockName], ['bench'], [grantId], [30_000], [null], [null]];
      const release = [[lockName], [grantId], [null], [0]];
      only(await pool.query({ ...statements.acquire, values: acquire }));
      only(await pool.query({ ...statements.release, values: release }));
    },
    close: () => pool.end(),
  };
}

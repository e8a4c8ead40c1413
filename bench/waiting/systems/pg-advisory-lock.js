import { openPool } from '../../systems/pool.js';

export const name = 'pg_advisory_lock';
export const settings =
  'over pg; a session of its own for each waiter, because a session waits and holds for one waiter only; no TTL, waits for ever';

const ACQUIRE = { name: 'acquire', text: 'SELECT pg_advisory_lock(hashtextextended($1, 0))' };
const RELEASE = { name: 'release', text: 'SELECT pg_advisory_unlock(hashtextextended($1, 0)) AS released' };

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ postgresUrl, lockName, waiters }) {
  const pool = await openPool(postgresUrl, { connections: waiters });
  /** @type {Set<import('pg').PoolClient>} */
  const busy = new Set();
  return {
    async acquire() {
      const client = await pool.connect();
      busy.add(client);
      await client.query({ ...ACQUIRE, values: [lockName] });
      return async () => {
        const { rows } = await client.query({ ...RELEASE, values: [lockName] });
        if (!rows[0].released) throw new Error('The session did not hold the lock.');
        busy.delete(client);
        client.release();
      };
    },
    async close() {
      for (const client of busy) client.release(true);
      await pool.end();
    },
  };
}

import { openPool } from './support/pool.js';

export const name = 'pg_advisory_lock';
export const settings =
  'over pg, prepared; a pool of 16 sessions, each of which holds one lock at a time; where it waits, a session for each waiter, because a session waits and holds for one waiter only; no TTL, waits for ever';

const KEY = 'hashtextextended($1, 0)';
const TRY = { name: 'try', text: `SELECT pg_try_advisory_lock(${KEY}) AS done` };
const WAIT = { name: 'wait', text: `SELECT pg_advisory_lock(${KEY})` };
const RELEASE = { name: 'release', text: `SELECT pg_advisory_unlock(${KEY}) AS done` };

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ postgresUrl, waiters }) {
  const pool = await openPool(postgresUrl, { connections: waiters });
  /** @type {Set<import('pg').PoolClient>} */
  const busy = new Set();

  const session = async () => {
    const client = await pool.connect();
    busy.add(client);
    return client;
  };
  const giveBack = (/** @type {import('pg').PoolClient} */ client) => {
    busy.delete(client);
    client.release();
  };
  const held = (/** @type {import('pg').PoolClient} */ client, /** @type {string} */ lockName) => ({
    async release() {
      const { rows } = await client.query({ ...RELEASE, values: [lockName] });
      if (!rows[0].done) throw new Error('The session did not hold the lock.');
      giveBack(client);
    },
  });

  return {
    async tryAcquire(lockName) {
      const client = await session();
      const { rows } = await client.query({ ...TRY, values: [lockName] });
      if (rows[0].done) return held(client, lockName);
      giveBack(client);
      return null;
    },
    async acquire(lockName) {
      const client = await session();
      await client.query({ ...WAIT, values: [lockName] });
      return held(client, lockName);
    },
    async close() {
      for (const client of busy) client.release(true);
      await pool.end();
    },
  };
}

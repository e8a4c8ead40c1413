import { openPool } from './support/pool.js';
import { sessionLocks } from './support/session-locks.js';

export const name = 'pg_advisory_lock';
export const settings =
  'over pg, prepared; a pool of 16 sessions, each of which holds one lock at a time; where it waits, a session for each waiter, because a session waits and holds for one waiter only; no TTL, waits for ever';

const KEY = 'hashtextextended($1, 0)';

/** @param {'' | '_shared'} mode */
const statements = (mode) => ({
  try: { name: 'try', text: `SELECT pg_try_advisory_lock${mode}(${KEY}) AS done` },
  wait: { name: 'wait', text: `SELECT pg_advisory_lock${mode}(${KEY})` },
  release: { name: 'release', text: `SELECT pg_advisory_unlock${mode}(${KEY}) AS done` },
});

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openAdvisoryLocks(place, '');

/** @param {import('../systems.js').Place} place @param {'' | '_shared'} mode @returns {Promise<import('../systems.js').System>} */
export async function openAdvisoryLocks({ databaseUrl, waiters }, mode) {
  const statement = statements(mode);
  const pool = await openPool(databaseUrl, { connections: waiters });
  const isDone = async (
    /** @type {import('pg').PoolClient} */ client,
    /** @type {{ name: string, text: string }} */ query,
    /** @type {string} */ lockName,
  ) => (await client.query({ ...query, values: [lockName] })).rows[0].done;

  return sessionLocks({
    take: () => pool.connect(),
    giveBack: (client) => client.release(),
    discard: (client) => client.release(true),
    end: () => pool.end(),
    tryLock: (client, lockName) => isDone(client, statement.try, lockName),
    lock: (client, lockName) => client.query({ ...statement.wait, values: [lockName] }),
    unlock: (client, lockName) => isDone(client, statement.release, lockName),
  });
}

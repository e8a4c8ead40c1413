import { openPool } from './support/pool.js';
import { sessionLocks } from './support/session-locks.js';

export const name = 'pg_advisory_lock';
export const settings =
  'over pg, prepared; a pool of 16 sessions, each of which holds one lock at a time; where it waits, a session for each waiter, because a session waits and holds for one waiter only; no TTL, waits for ever';

const KEY = 'hashtextextended($1, 0)';
const TRY = { name: 'try', text: `SELECT pg_try_advisory_lock(${KEY}) AS done` };
const WAIT = { name: 'wait', text: `SELECT pg_advisory_lock(${KEY})` };
const RELEASE = { name: 'release', text: `SELECT pg_advisory_unlock(${KEY}) AS done` };

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, waiters }) {
  const pool = await openPool(databaseUrl, { connections: waiters });
  const isDone = async (
    /** @type {import('pg').PoolClient} */ client,
    /** @type {{ name: string, text: string }} */ statement,
    /** @type {string} */ lockName,
  ) => (await client.query({ ...statement, values: [lockName] })).rows[0].done;

  return sessionLocks({
    take: () => pool.connect(),
    giveBack: (client) => client.release(),
    discard: (client) => client.release(true),
    end: () => pool.end(),
    tryLock: (client, lockName) => isDone(client, TRY, lockName),
    lock: (client, lockName) => client.query({ ...WAIT, values: [lockName] }),
    unlock: (client, lockName) => isDone(client, RELEASE, lockName),
  });
}

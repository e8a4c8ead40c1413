import { PATIENCE } from '../systems.js';
import { openPool } from './support/mysql.js';
import { sessionLocks } from './support/session-locks.js';

export const name = 'GET_LOCK';
export const settings =
  'over mysql2, prepared; a pool of 16 sessions, each of which holds one lock at a time; where it waits, a session for each waiter, because a session waits and holds for one waiter only; no TTL, waits for 60 s';

const TAKE = 'SELECT GET_LOCK(?, ?) AS done';
const RELEASE = 'SELECT RELEASE_LOCK(?) AS done';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, waiters }) {
  const pool = await openPool(databaseUrl, { connections: waiters });
  const isDone = async (
    /** @type {import('mysql2/promise').PoolConnection} */ session,
    /** @type {string} */ sql,
    /** @type {Array<string | number>} */ values,
  ) => {
    const [rows] = await session.execute(sql, values);
    return /** @type {Array<{ done: number | null }>} */ (rows)[0].done === 1;
  };

  return sessionLocks({
    take: () => pool.getConnection(),
    giveBack: (session) => session.release(),
    discard: (session) => session.destroy(),
    end: () => pool.end(),
    tryLock: (session, lockName) => isDone(session, TAKE, [lockName, 0]),
    async lock(session, lockName) {
      if (!(await isDone(session, TAKE, [lockName, PATIENCE / 1000]))) throw new Error('Waited in vain.');
    },
    unlock: (session, lockName) => isDone(session, RELEASE, [lockName]),
  });
}

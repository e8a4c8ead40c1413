/**
 * Locks that belong to a session of the database.
 *
 * @template Session
 * @typedef {object} Sessions
 * @property {() => Promise<Session>} take - from the pool
 * @property {(session: Session) => void} giveBack
 * @property {(session: Session) => void} discard
 * @property {() => Promise<unknown>} end - those of the pool
 * @property {(session: Session, lockName: string) => Promise<boolean>} tryLock
 * @property {(session: Session, lockName: string) => Promise<unknown>} lock - waits
 * @property {(session: Session, lockName: string) => Promise<boolean>} unlock
 */

/**
 * Each session holds one lock at a time, or waits for one.
 *
 * @template Session
 * @param {Sessions<Session>} sessions
 * @returns {import('../../systems.js').System}
 */
export function sessionLocks(sessions) {
  /** @type {Set<Session>} */
  const busy = new Set();

  const take = async () => {
    const session = await sessions.take();
    busy.add(session);
    return session;
  };
  const giveBack = (/** @type {Session} */ session) => {
    busy.delete(session);
    sessions.giveBack(session);
  };
  const held = (/** @type {Session} */ session, /** @type {string} */ lockName) => ({
    async release() {
      if (!(await sessions.unlock(session, lockName))) throw new Error('The session did not hold the lock.');
      giveBack(session);
    },
  });

  return {
    async tryAcquire(lockName) {
      const session = await take();
      if (await sessions.tryLock(session, lockName)) return held(session, lockName);
      giveBack(session);
      return null;
    },
    async acquire(lockName) {
      const session = await take();
      await sessions.lock(session, lockName);
      return held(session, lockName);
    },
    async close() {
      for (const session of busy) sessions.discard(session);
      await sessions.end();
    },
  };
}

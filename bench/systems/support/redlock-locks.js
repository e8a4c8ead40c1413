import { openRedis } from './redis-connection.js';

export const REDLOCK_SETTINGS =
  'on a single Redis; retryCount 0, where it waits -1 with the default retryDelay of 200 ± 100 ms';

/**
 * What redlock and its fork have in common.
 *
 * @typedef {object} Lock
 * @property {() => Promise<unknown>} release
 * @property {(ttl: number) => Promise<Lock>} extend
 */

/** @typedef {new (clients: import('ioredis').Redis[], settings: { retryCount: number }) => { acquire(lockNames: string[], ttl: number): Promise<Lock> }} RedlockClass */

/**
 * @param {RedlockClass} Redlock
 * @param {import('../../systems.js').Place} place
 * @returns {Promise<import('../../systems.js').System>}
 */
export async function openRedlock(Redlock, { redisUrl, ttl }) {
  const connection = await openRedis(redisUrl);
  const trying = new Redlock([connection], { retryCount: 0 });
  const waiting = new Redlock([connection], { retryCount: -1 });
  const held = (/** @type {Lock} */ lock) => {
    let latest = lock;
    return {
      release: () => latest.release(),
      async renew() {
        latest = await latest.extend(ttl);
      },
    };
  };
  return {
    async tryAcquire(lockName) {
      try {
        return held(await trying.acquire([lockName], ttl));
      } catch (error) {
        if (/** @type {Error} */ (error).name === 'ExecutionError') return null;
        throw error;
      }
    },
    acquire: async (lockName) => held(await waiting.acquire([lockName], ttl)),
    close: async () => connection.disconnect(),
  };
}

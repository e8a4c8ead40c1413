import { LIMIT, PATIENCE } from '../../systems.js';
import { openRedis } from './redis-connection.js';

/** How they are configured, for the reader of the results. */
export const SEMAPHORE_SETTINGS = `maxCount ${LIMIT}; an acquireTimeout of 60 s with the default retryInterval of 10 ms; no refreshInterval`;

/**
 * Semaphores of redis-semaphore, one an acquire, as its documentation has it.
 *
 * @param {import('../../systems.js').Place} place
 * @param {(connection: import('ioredis').Redis, lockName: string, options: import('redis-semaphore').LockOptions) => import('redis-semaphore').Semaphore} create
 * @returns {Promise<import('../../systems.js').System>}
 */
export async function openSemaphores({ redisUrl, ttl }, create) {
  const connection = await openRedis(redisUrl);
  return {
    async acquire(lockName) {
      const options = { lockTimeout: ttl, acquireTimeout: PATIENCE, refreshInterval: 0 };
      const semaphore = create(connection, lockName, options);
      await semaphore.acquire();
      return { release: () => semaphore.release() };
    },
    close: async () => connection.disconnect(),
  };
}

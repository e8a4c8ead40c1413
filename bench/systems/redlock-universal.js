import { createLock, IoredisAdapter, LockAcquisitionError } from 'redlock-universal';
import { PATIENCE } from '../systems.js';
import { openRedis } from './support/redis-connection.js';

export const name = 'redlock-universal (Redis as shipped)';
export const settings =
  'createLock on a single Redis with its IoredisAdapter; retryAttempts 0, where it waits as many as fit into 60 s with the default retryDelay of 100 ms';

/** Its default, in ms. */
const RETRY_DELAY = 100;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, ttl }) {
  const connection = await openRedis(redisUrl);
  const adapter = new IoredisAdapter(connection);
  const acquire = async (/** @type {string} */ key, /** @type {number} */ retryAttempts) => {
    const lock = createLock({ adapter, key, ttl, retryAttempts, retryDelay: RETRY_DELAY });
    const handle = await lock.acquire();
    return {
      release: () => lock.release(handle),
      async renew() {
        if (!(await lock.extend(handle, ttl))) throw new Error('The lock is lost.');
      },
    };
  };
  return {
    async tryAcquire(lockName) {
      try {
        return await acquire(lockName, 0);
      } catch (error) {
        if (error instanceof LockAcquisitionError) return null;
        throw error;
      }
    },
    acquire: (lockName) => acquire(lockName, PATIENCE / RETRY_DELAY),
    close: async () => connection.disconnect(),
  };
}

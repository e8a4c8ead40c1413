import { Mutex } from 'redis-semaphore';
import { PATIENCE } from '../systems.js';
import { openRedis } from './support/redis-connection.js';

export const name = 'redis-semaphore (Redis as shipped)';
export const settings =
  'Mutex; acquireAttemptsLimit 1, where it waits an acquireTimeout of 60 s with the default retryInterval of 10 ms; no refreshInterval; renewed by another Mutex with the same identifier, as its documentation has it';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, ttl }) {
  const connection = await openRedis(redisUrl);
  const mutex = (/** @type {string} */ lockName, /** @type {object} */ options) =>
    new Mutex(connection, lockName, { lockTimeout: ttl, refreshInterval: 0, ...options });
  const held = (/** @type {Mutex} */ lock, /** @type {string} */ lockName) => ({
    release: () => lock.release(),
    async renew() {
      const { identifier } = lock;
      if (!(await mutex(lockName, { identifier, acquiredExternally: true }).tryAcquire()))
        throw new Error('The lock is lost.');
    },
  });
  return {
    async tryAcquire(lockName) {
      const lock = mutex(lockName, { acquireAttemptsLimit: 1 });
      return (await lock.tryAcquire()) ? held(lock, lockName) : null;
    },
    async acquire(lockName) {
      const lock = mutex(lockName, { acquireTimeout: PATIENCE });
      await lock.acquire();
      return held(lock, lockName);
    },
    close: async () => connection.disconnect(),
  };
}

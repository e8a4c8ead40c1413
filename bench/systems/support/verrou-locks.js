import { LockFactory } from '@verrou/core';
import { PATIENCE } from '../../systems.js';

/**
 * Locks of verrou in one of its stores.
 *
 * @param {import('@verrou/core/types').LockStore} store
 * @param {number} ttl - in ms
 */
export function verrouLocks(store, ttl) {
  const verrou = new LockFactory(store);
  const held = (/** @type {import('@verrou/core').Lock} */ lock) => ({
    release: () => lock.release(),
    renew: () => lock.extend(ttl),
  });
  return {
    async tryAcquire(/** @type {string} */ lockName) {
      const lock = verrou.createLock(lockName, ttl);
      return (await lock.acquireImmediately()) ? held(lock) : null;
    },
    async acquire(/** @type {string} */ lockName) {
      const lock = verrou.createLock(lockName, ttl);
      if (!(await lock.acquire({ retry: { timeout: PATIENCE } }))) throw new Error('Waited in vain.');
      return held(lock);
    },
  };
}

import { openLockApplication } from './lock-application.js';

/**
 * Our LockClient, with its server in the same process.
 *
 * @param {string} url
 * @returns {Promise<import('../measurement.js').System>}
 */
export async function openLockClient(url) {
  const { locks, close } = await openLockApplication(url);
  return {
    name: 'LockClient in process',
    async cycle(lockName) {
      const lease = await locks.acquire(lockName);
      await lease.release();
    },
    close,
  };
}

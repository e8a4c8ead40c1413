import { openLockApplication } from '../../systems/lock-application.js';
import { PATIENCE, TTL } from '../systems.js';

export const name = 'LockClient';
export const settings = 'nestjs-db-lock on PostgreSQL, its server in each process; wait 60 s, TTL 30 s';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = ({ postgresUrl, lockName }) => openLockClient(postgresUrl, lockName);

/**
 * @param {string} url
 * @param {string} lockName
 * @param {Partial<import('nestjs-db-lock').DbLockModuleOptions>} [options]
 * @returns {Promise<import('../systems.js').WaitingSystem>}
 */
export async function openLockClient(url, lockName, options) {
  const { locks, close } = await openLockApplication(url, options);
  return {
    async acquire() {
      const lease = await locks.acquire(lockName, { wait: PATIENCE, ttl: TTL });
      return () => lease.release();
    },
    close,
  };
}

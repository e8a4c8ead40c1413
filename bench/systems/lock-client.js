import { getLockClientToken } from 'nestjs-db-lock';
import { PATIENCE } from '../systems.js';
import { lockModules, openApplication } from './support/lock-application.js';

export const name = 'LockClient';
export const settings =
  'nestjs-db-lock, its server in the same process; no gate, nothing known busy; without keep-alive';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openLockClient(place);

/**
 * @param {Partial<import('../systems.js').Place>} place - without a database for the client of another lock server
 * @param {import('./support/lock-application.js').LockOptions} [options]
 * @param {import('nestjs-db-lock').ModeOptions} [mode]
 * @returns {Promise<import('../systems.js').System>}
 */
export async function openLockClient({ databaseUrl, feature, ttl }, options, mode) {
  const app = await openApplication(lockModules(databaseUrl, { feature, ttl, ...options }));
  return { ...withClient(app.get(getLockClientToken(feature)), mode), close: () => app.close() };
}

/** @param {import('nestjs-db-lock').LockClient} locks @param {import('nestjs-db-lock').ModeOptions} [mode] - by default exclusive */
export function withClient(locks, mode) {
  return {
    tryAcquire: (/** @type {string} */ lockName) => locks.tryAcquire(lockName, mode),
    acquire: (/** @type {string} */ lockName) => locks.acquire(lockName, { wait: PATIENCE, ...mode }),
    keep: (/** @type {string} */ lockName) => locks.acquire(lockName, { keepAlive: true }),
  };
}

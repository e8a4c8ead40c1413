/** The files in systems/. */
export const SYSTEMS = [
  'lock-client',
  'lock-client-with-gate',
  'standalone-servers',
  'pg-advisory-lock',
  'verrou-postgres',
  'verrou-redis',
  'redlock',
  'redis-semaphore',
  'simple-redis-mutex',
];

/**
 * Where a system finds its lock, and who wants it.
 *
 * @typedef {object} Place
 * @property {string} postgresUrl
 * @property {string} redisUrl
 * @property {string} lockName
 * @property {number} waiters - in this process
 * @property {number} member - which of the processes this is, from 0
 * @property {string[]} [apiServers] - lock servers that run for this measurement
 */

/**
 * @typedef {object} WaitingSystem
 * @property {() => Promise<() => Promise<void>>} acquire - waits for the lock; resolves with its release
 * @property {() => Promise<void>} close - also while somebody waits
 */

/**
 * @typedef {object} SystemModule
 * @property {string} name
 * @property {string} settings - how it is configured, for the reader of the results
 * @property {(place: Place) => Promise<WaitingSystem>} open
 * @property {(place: { postgresUrl: string }) => Promise<Preparation>} [prepare] - what runs beside the processes
 */

/**
 * @typedef {object} Preparation
 * @property {string[]} apiServers
 * @property {() => Promise<void>} close
 */

/** How long a waiter is willing to wait, and for how long it takes the lock at most; in ms. */
export const PATIENCE = 60_000;
export const TTL = 30_000;

/** @param {string} system @returns {Promise<SystemModule>} */
export function loadSystem(system) {
  return import(`./systems/${system}.js`);
}

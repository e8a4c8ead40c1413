import { readdirSync } from 'node:fs';

/**
 * Where a system finds what it needs, and who calls it.
 *
 * @typedef {object} Place
 * @property {string} databaseUrl - see databases.js; of SQLite, as servers/sqlite.js writes it
 * @property {string} redisUrl - of the Redis as shipped
 * @property {string} durableRedisUrl - of the Redis with appendfsync always
 * @property {number} ttl - of each lock, in ms
 * @property {number} member - which of the contender's processes this is, from 0
 * @property {number} [waiters] - in this process
 * @property {string} [feature] - whose tables to use
 * @property {'express' | 'fastify'} [platform] - of the HTTP server
 * @property {string[]} [origins] - of the HTTP servers that run beside
 * @property {string[]} [lockNames] - all that will be asked for, where they must be known before
 */

/**
 * A lock that is held.
 *
 * @typedef {object} Held
 * @property {() => Promise<unknown>} release
 * @property {() => Promise<unknown>} [renew] - gives it its TTL anew; rejects when it is lost
 * @property {number} [timeLeft] - in ms; 0 when it is lost
 */

/**
 * What takes locks and gives them back, with what it can do.
 *
 * @typedef {object} System
 * @property {(lockName: string) => Promise<Held | null>} [tryAcquire] - null when the lock is busy
 * @property {(lockName: string) => Promise<Held>} [acquire] - waits for the lock
 * @property {(lockName: string) => Promise<Held>} [keep] - takes the lock, and keeps it alive until the process ends
 * @property {(lockName: string) => Promise<unknown>} [cycle] - acquires and releases, where that can't be told apart
 * @property {(lockName: string) => Promise<unknown>} [plainCycle] - likewise, without the decorator
 * @property {number} [size] - how many locks a cycle takes, when it is more than one
 * @property {string} [origin] - where it is served, when that is what it is about
 * @property {() => Promise<unknown>} close - also while somebody waits
 */

/**
 * What runs beside the processes of a contender.
 *
 * @typedef {object} Companion
 * @property {Partial<Place>} place - where it is found
 * @property {() => number | undefined} cpu - that it has used so far, in µs; undefined when it can't be seen
 * @property {() => Promise<void>} stop
 */

/**
 * A file in systems/.
 *
 * @typedef {object} SystemModule
 * @property {string} name - as the tables have it
 * @property {string} [plainName] - of what it does without its decorator
 * @property {string} settings - how it is configured, for the reader of the results
 * @property {(place: Place) => Promise<System>} open
 * @property {(place: Place) => Promise<Companion>} [accompany] - starts what must run beside
 */

/** In ms: how long a lock is held at most, and how long a waiter is willing to wait. */
export const TTL = 30_000;
export const PATIENCE = 60_000;

/** How many may hold a semaphore together. */
export const LIMIT = 5;

/** The files in systems/. */
export const SYSTEMS = readdirSync(new URL('systems', import.meta.url))
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -'.js'.length));

/** Those that are libraries on Redis. */
export const REDIS_LIBRARIES = [
  'verrou-redis',
  'redlock',
  'sesamecare-redlock',
  'redis-semaphore',
  'redlock-universal',
  'simple-redis-mutex',
];

/** @param {string} system - the name of a file in systems/ @returns {Promise<SystemModule>} */
export function loadSystem(system) {
  return import(`./systems/${system}.js`);
}

import { Semaphore } from 'redis-semaphore';
import { LIMIT } from '../systems.js';
import { openSemaphores, SEMAPHORE_SETTINGS } from './support/redis-semaphores.js';

export const name = 'redis-semaphore, Semaphore (Redis as shipped)';
export const settings = SEMAPHORE_SETTINGS;

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) =>
  openSemaphores(
    place,
    (connection, lockName, options) => new Semaphore(connection, lockName, LIMIT, options),
  );

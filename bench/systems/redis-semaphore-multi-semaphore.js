import { MultiSemaphore } from 'redis-semaphore';
import { LIMIT } from '../systems.js';
import { openSemaphores, SEMAPHORE_SETTINGS } from './support/redis-semaphores.js';

export const name = 'redis-semaphore, MultiSemaphore (Redis as shipped)';
export const settings = `${SEMAPHORE_SETTINGS}; one permit each`;

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) =>
  openSemaphores(
    place,
    (connection, lockName, options) => new MultiSemaphore(connection, lockName, LIMIT, 1, options),
  );

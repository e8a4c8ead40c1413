import { knexStore } from '@verrou/core/drivers/knex';
import knex from 'knex';
import { verrouLocks } from './verrou-locks.js';

/**
 * Locks of verrou in a database.
 *
 * @param {import('knex').Knex.Config} config
 * @param {number} ttl - in ms
 * @returns {import('../../systems.js').System}
 */
export function openVerrouOnKnex(config, ttl) {
  // It would log every query that closing it cuts off; the waiters get the errors anyway.
  const log = { warn: () => undefined, error: () => undefined };
  const connection = knex({ ...config, log });
  return {
    ...verrouLocks(knexStore({ connection }).factory(), ttl),
    close: () => connection.destroy(),
  };
}

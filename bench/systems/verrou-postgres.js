import { knexStore } from '@verrou/core/drivers/knex';
import knex from 'knex';
import { verrouLocks } from './support/verrou-locks.js';

export const name = 'verrou (PostgreSQL)';
export const settings =
  '@verrou/core with its Knex store; a pool of 16 connections; where it waits, the default delay of 250 ms between attempts';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ postgresUrl, ttl }) {
  // It would log every query that closing it cuts off; the waiters get the errors anyway.
  const log = { warn: () => undefined, error: () => undefined };
  const connection = knex({ client: 'pg', connection: postgresUrl, pool: { min: 16, max: 16 }, log });
  return {
    ...verrouLocks(knexStore({ connection }).factory(), ttl),
    close: () => connection.destroy(),
  };
}

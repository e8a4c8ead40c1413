import { LockFactory } from '@verrou/core';
import { knexStore } from '@verrou/core/drivers/knex';
import knex from 'knex';
import { PATIENCE, TTL } from '../systems.js';

export const name = 'verrou, PostgreSQL';
export const settings =
  "@verrou/core with its Knex store; Knex's default pool of 2 to 10; TTL 30 s, time-out 60 s, the default delay of 250 ms between attempts";

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ postgresUrl, lockName }) {
  // It would log every query that closing it cuts off; the waiters get the errors anyway.
  const log = { warn: () => undefined, error: () => undefined };
  const connection = knex({ client: 'pg', connection: postgresUrl, log });
  const verrou = new LockFactory(knexStore({ connection }).factory());
  return {
    acquire: () => acquireFrom(verrou, lockName),
    close: () => connection.destroy(),
  };
}

/**
 * @param {LockFactory} verrou
 * @param {string} lockName
 */
export async function acquireFrom(verrou, lockName) {
  const lock = verrou.createLock(lockName, TTL);
  const acquired = await lock.acquire({ retry: { timeout: PATIENCE } });
  if (!acquired) throw new Error('Waited in vain.');
  return () => lock.release();
}

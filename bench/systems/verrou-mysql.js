import { CONNECTIONS } from './support/pool.js';
import { openVerrouOnKnex } from './support/verrou-on-knex.js';

export const name = 'verrou (MySQL)';
export const settings =
  '@verrou/core with its Knex store over mysql2; a pool of 16 connections; where it waits, the default delay of 250 ms between attempts';

const pool = { min: CONNECTIONS, max: CONNECTIONS };

/** @type {import('../systems.js').SystemModule['open']} */
export const open = async ({ databaseUrl, ttl }) =>
  openVerrouOnKnex({ client: 'mysql2', connection: { uri: databaseUrl }, pool }, ttl);

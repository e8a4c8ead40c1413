import { createTables, openPool } from './support/pool.js';
import { RAW_SCHEMA, rawLocks, rawSettings } from './support/raw-locks.js';

export const name = 'raw pg, pool of 16';
export const settings =
  "nestjs-db-lock's statements, prepared and with its session settings, one a request over a pool of 16 connections; all commit synchronously";

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const pool = await openPool(databaseUrl, { settings: rawSettings('acquire') });
  await createTables(pool, RAW_SCHEMA);
  return { ...rawLocks(pool, pool, ttl), close: () => pool.end() };
}

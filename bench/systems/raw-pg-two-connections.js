import { createTables, openPool } from './support/pool.js';
import { RAW_SCHEMA, rawLocks, rawSettings } from './support/raw-locks.js';

export const name = 'raw pg, two connections';
export const settings =
  'the same statements over one connection for acquires and one for releases, which commit asynchronously, as in the library';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const pool = (/** @type {'acquire' | 'release'} */ purpose) =>
    openPool(databaseUrl, { settings: rawSettings(purpose), connections: 1 });
  const [acquiring, releasing] = await Promise.all([pool('acquire'), pool('release')]);
  await createTables(acquiring, RAW_SCHEMA);
  return {
    ...rawLocks(acquiring, releasing, ttl),
    close: () => Promise.all([acquiring.end(), releasing.end()]),
  };
}

import { createTables, openPool } from './support/pool.js';
import { RAW_SCHEMA, rawLocks, rawSettings } from './support/raw-locks.js';

export const name = 'raw pg, two connections';
export const settings =
  'the statements that the library has for many locks, over one connection for acquires and one for releases, which commit asynchronously, as in the library; what the goals are set by';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openTwoConnections(place, rawLocks);

/**
 * @param {Partial<import('../systems.js').Place>} place
 * @param {typeof rawLocks | typeof import('./support/raw-locks.js').loneLocks} locks
 */
export async function openTwoConnections({ databaseUrl, ttl }, locks) {
  const pool = (/** @type {'acquire' | 'release'} */ purpose) =>
    openPool(databaseUrl, { settings: rawSettings(purpose), connections: 1 });
  const [acquiring, releasing] = await Promise.all([pool('acquire'), pool('release')]);
  await createTables(acquiring, RAW_SCHEMA);
  return {
    ...locks(acquiring, releasing, ttl),
    close: () => Promise.all([acquiring.end(), releasing.end()]),
  };
}

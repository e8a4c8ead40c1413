import { openAdvisoryLocks } from './pg-advisory-lock.js';

export const name = 'pg_advisory_lock_shared';
export const settings =
  'over pg, prepared; a pool of 16 sessions, each of which has the lock for one reader at a time; no TTL';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openAdvisoryLocks(place, '_shared');

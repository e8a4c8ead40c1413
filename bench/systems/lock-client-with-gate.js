import { openLockClient } from './lock-client.js';

export const name = 'LockClient, gate (Redis as shipped)';
export const settings = 'likewise, with Redis asked before the database';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openLockClient(place, { redis: { url: place.redisUrl } });

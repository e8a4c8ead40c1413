import { openLockClient } from './lock-client.js';

export const name = 'LockClient, gate and known busy for 100 ms';
export const settings = 'both at once';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openLockClient(place, { redis: { url: place.redisUrl }, knownBusy: 100 });

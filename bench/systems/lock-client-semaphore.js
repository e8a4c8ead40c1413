import { LIMIT } from '../systems.js';
import { openLockClient } from './lock-client.js';

export const name = `LockClient, limit ${LIMIT}`;
export const settings = 'as LockClient, each acquire with that limit';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openLockClient(place, {}, { limit: LIMIT });

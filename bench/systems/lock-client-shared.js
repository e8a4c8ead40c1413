import { openLockClient } from './lock-client.js';

export const name = 'LockClient, shared';
export const settings = 'as LockClient, in shared mode';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openLockClient(place, {}, { mode: 'shared' });

import { openLockClient } from './lock-client.js';

export const name = 'LockClient, known busy for 100 ms';
export const settings = 'likewise without Redis; refuses for up to 100 ms what it knows to be held';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openLockClient(place, { knownBusy: 100 });

import { Redlock } from '@sesamecare-oss/redlock';
import { openRedlock, REDLOCK_SETTINGS } from './support/redlock-locks.js';

export const name = '@sesamecare-oss/redlock (Redis as shipped)';
export const settings = REDLOCK_SETTINGS;

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openRedlock(Redlock, place);

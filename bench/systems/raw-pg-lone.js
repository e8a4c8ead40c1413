import { openTwoConnections } from './raw-pg-two-connections.js';
import { loneLocks } from './support/raw-locks.js';

export const name = 'raw pg, statements for one lock';
export const settings = 'the same connections, and the statements that the library has for what comes alone';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = (place) => openTwoConnections(place, loneLocks);

import { openLockClient } from './lock-client.js';

export const name = 'LockClient, Redis gate';
export const settings = 'likewise, with Redis asked before PostgreSQL';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = ({ postgresUrl, redisUrl, lockName }) =>
  openLockClient(postgresUrl, lockName, { redis: { url: redisUrl } });

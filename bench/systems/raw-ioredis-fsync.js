import { openRawLocks } from './raw-ioredis.js';

export const name = 'raw ioredis (Redis, appendfsync always)';
export const settings =
  'the same on a Redis that writes to disk before it answers, as a durable database does';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = ({ durableRedisUrl, ttl }) => openRawLocks(durableRedisUrl, ttl);

import { createClient } from 'redis';
import { lock } from 'simple-redis-mutex';
import { PATIENCE, TTL } from '../systems.js';

export const name = 'simple-redis-mutex';
export const settings =
  'one node-redis connection a process and another for its pub/sub; timeout 30 s, failAfter 60 s, the default pollingInterval of 10 s';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, lockName }) {
  const connection = await createClient({ url: redisUrl }).connect();
  return {
    acquire: () => lock(connection, lockName, { timeout: TTL, failAfter: PATIENCE }),
    close: async () => connection.destroy(),
  };
}

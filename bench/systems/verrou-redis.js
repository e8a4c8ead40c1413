import { redisStore } from '@verrou/core/drivers/redis';
import { openRedis } from './support/redis-connection.js';
import { verrouLocks } from './support/verrou-locks.js';

export const name = 'verrou (Redis as shipped)';
export const settings =
  '@verrou/core with its Redis store; where it waits, the default delay of 250 ms between attempts';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, ttl }) {
  const connection = await openRedis(redisUrl);
  return {
    ...verrouLocks(redisStore({ connection }).factory(), ttl),
    close: async () => connection.disconnect(),
  };
}

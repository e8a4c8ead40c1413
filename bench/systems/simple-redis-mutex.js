import { createClient } from 'redis';
import { lock, tryLock } from 'simple-redis-mutex';
import { PATIENCE } from '../systems.js';

export const name = 'simple-redis-mutex (Redis as shipped, node-redis)';
export const settings =
  'over node-redis, because it takes no other client, and a connection for its pub/sub; where it waits, failAfter 60 s and the default pollingInterval of 10 s';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, ttl }) {
  const connection = await createClient({ url: redisUrl }).connect();
  const held = (/** @type {import('simple-redis-mutex').ReleaseFunc} */ release) => ({
    release,
    renew: () => release.refreshTimeout(),
  });
  return {
    async tryAcquire(lockName) {
      const [hasLock, release] = await tryLock(connection, lockName, { timeout: ttl });
      return hasLock ? held(release) : null;
    },
    acquire: async (lockName) =>
      held(await lock(connection, lockName, { timeout: ttl, failAfter: PATIENCE })),
    close: async () => connection.destroy(),
  };
}

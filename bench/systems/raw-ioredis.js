import { randomUUID } from 'node:crypto';
import { openRedis } from './support/redis-connection.js';

export const name = 'raw ioredis (Redis as shipped)';
export const settings =
  'SET NX PX, and scripts that compare before they delete or renew, loaded once; what remains of a Redis lock without a library';

const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

const RENEW = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`;

/** @type {import('../systems.js').SystemModule['open']} */
export const open = ({ redisUrl, ttl }) => openRawLocks(redisUrl, ttl);

/**
 * @param {string} url
 * @param {number} ttl - in ms
 * @returns {Promise<import('../systems.js').System>}
 */
export async function openRawLocks(url, ttl) {
  const connection = await openRedis(url);
  connection.defineCommand('releaseLock', { numberOfKeys: 1, lua: RELEASE });
  connection.defineCommand('renewLock', { numberOfKeys: 1, lua: RENEW });
  /** @type {any} */
  const scripts = connection;
  const done = async (/** @type {Promise<unknown>} */ answer) => {
    if ((await answer) !== 1) throw new Error('The lock is lost.');
  };
  return {
    async tryAcquire(lockName) {
      const key = `raw:${lockName}`;
      const owner = randomUUID();
      if ((await connection.set(key, owner, 'PX', ttl, 'NX')) === null) return null;
      return {
        release: () => done(scripts.releaseLock(key, owner)),
        renew: () => done(scripts.renewLock(key, owner, ttl)),
      };
    },
    close: async () => connection.disconnect(),
  };
}

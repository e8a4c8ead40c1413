import { Redis } from 'ioredis';
import Redlock from 'redlock';
import { TTL } from '../systems.js';

export const name = 'redlock';
export const settings =
  'on a single Redis over one ioredis connection a process; TTL 30 s, retryCount -1, the default retryDelay of 200 ± 100 ms';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, lockName }) {
  const connection = new Redis(redisUrl);
  const redlock = new Redlock([connection], { retryCount: -1 });
  return {
    async acquire() {
      const lock = await redlock.acquire([lockName], TTL);
      return async () => void (await lock.release());
    },
    close: async () => connection.disconnect(),
  };
}

import { Redis } from 'ioredis';
import { Mutex } from 'redis-semaphore';
import { PATIENCE, TTL } from '../systems.js';

export const name = 'redis-semaphore';
export const settings =
  'Mutex over one ioredis connection a process; lockTimeout 30 s, acquireTimeout 60 s, the default retryInterval of 10 ms';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, lockName }) {
  const connection = new Redis(redisUrl);
  return {
    async acquire() {
      const mutex = new Mutex(connection, lockName, { lockTimeout: TTL, acquireTimeout: PATIENCE });
      await mutex.acquire();
      return () => mutex.release();
    },
    close: async () => connection.disconnect(),
  };
}

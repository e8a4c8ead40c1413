import { LockFactory } from '@verrou/core';
import { redisStore } from '@verrou/core/drivers/redis';
import { Redis } from 'ioredis';
import { acquireFrom } from './verrou-postgres.js';

export const name = 'verrou, Redis';
export const settings = 'likewise, with its Redis store over one ioredis connection a process';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, lockName }) {
  const connection = new Redis(redisUrl);
  const verrou = new LockFactory(redisStore({ connection }).factory());
  return {
    acquire: () => acquireFrom(verrou, lockName),
    close: async () => connection.disconnect(),
  };
}

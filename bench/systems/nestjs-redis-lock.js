import nestjsRedisLock from '@nestjs-redis/lock';
import { createClient } from 'redis';
import { TTL } from '../systems.js';
import { decorate, work } from './support/decoration.js';
import { openApplication } from './support/lock-application.js';

export const name = '@nestjs-redis/lock @Redlock (Redis as shipped, node-redis)';
export const plainName = '@nestjs-redis/lock RedlockService.withLock';
export const settings = 'on a single Redis; its keys are fixed, so each has a method of its own';

const { Redlock, RedlockModule, RedlockService } = nestjsRedisLock;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl, lockNames = [] }) {
  const Worker = workerFor(lockNames);
  const connection = await createClient({ url: redisUrl }).connect();
  const app = await openApplication([RedlockModule.forRoot({ clients: [connection] })], [Worker]);
  const locks = app.get(RedlockService);
  const worker = app.get(Worker);
  return {
    cycle: (lockName) => worker[lockName](),
    plainCycle: (lockName) => locks.withLock([lockName], TTL, work),
    async close() {
      await app.close();
      connection.destroy();
    },
  };
}

/** A class with a method for each lock. @param {string[]} lockNames @returns {new () => Record<string, () => Promise<unknown>>} */
function workerFor(lockNames) {
  /** @type {any} */
  const Worker = class {};
  for (const lockName of lockNames) {
    Object.defineProperty(Worker.prototype, lockName, { value: work, configurable: true, writable: true });
    decorate(Worker.prototype, lockName, Redlock(lockName, TTL));
  }
  return Worker;
}

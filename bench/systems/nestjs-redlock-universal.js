import { IoredisAdapter, Redlock, RedlockModule, RedlockService } from 'nestjs-redlock-universal';
import { TTL } from '../systems.js';
import { decorate, work } from './support/decoration.js';
import { openApplication } from './support/lock-application.js';
import { openRedis } from './support/redis-connection.js';

export const name = 'nestjs-redlock-universal @Redlock (Redis as shipped)';
export const plainName = 'nestjs-redlock-universal RedlockService.using';
export const settings = 'on a single Redis with its IoredisAdapter; the key from an argument';

class Worker {
  /** @param {string} _lockName */
  run(_lockName) {
    return work();
  }
}
decorate(Worker.prototype, 'run', Redlock({ key: (lockName) => lockName, ttl: TTL }));

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl }) {
  const connection = await openRedis(redisUrl);
  const app = await openApplication(
    [RedlockModule.forRoot({ nodes: [new IoredisAdapter(connection)], defaultTtl: TTL })],
    [Worker],
  );
  const locks = app.get(RedlockService);
  const worker = app.get(Worker);
  return {
    cycle: (lockName) => worker.run(lockName),
    plainCycle: (lockName) => locks.using(lockName, work, TTL),
    close: () => app.close(),
  };
}

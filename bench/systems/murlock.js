import murlock from 'murlock';
import { TTL } from '../systems.js';
import { decorate, work } from './support/decoration.js';
import { openApplication } from './support/lock-application.js';

export const name = '@MurLock (Redis as shipped, node-redis 4)';
export const plainName = 'MurLockService.runWithLock';
export const settings =
  'murlock, over the node-redis that it brings along; maxAttempts 1, the key from an argument';

const { MurLock, MurLockModule, MurLockService } = murlock;

class Worker {
  /** @param {string} _lockName */
  run(_lockName) {
    return work();
  }
}
decorate(Worker.prototype, 'run', MurLock(TTL, '0'));

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ redisUrl }) {
  const app = await openApplication(
    [
      MurLockModule.forRoot({
        redisOptions: { url: redisUrl },
        wait: 100,
        maxAttempts: 1,
        logLevel: 'error',
        lockKeyPrefix: 'custom',
      }),
    ],
    [Worker],
  );
  const locks = app.get(MurLockService);
  const worker = app.get(Worker);
  return {
    cycle: (lockName) => worker.run(lockName),
    plainCycle: (lockName) => locks.runWithLock(lockName, TTL, work),
    close: () => app.close(),
  };
}

import { LockClient, UseLock } from 'nestjs-db-lock';
import { decorate, work } from './support/decoration.js';
import { lockModules, openApplication } from './support/lock-application.js';

export const name = '@UseLock';
export const plainName = 'LockClient.withLock';
export const settings =
  'nestjs-db-lock on PostgreSQL with its defaults, so with keep-alive; the key from an argument';

class Worker {
  /** @param {string} _lockName */
  run(_lockName) {
    return work();
  }
}
decorate(Worker.prototype, 'run', UseLock('{0}'));

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl, ttl }) {
  const app = await openApplication(lockModules(databaseUrl, { ttl }), [Worker]);
  const locks = app.get(LockClient);
  const worker = app.get(Worker);
  return {
    cycle: (lockName) => worker.run(lockName),
    plainCycle: (lockName) => locks.withLock(lockName, work),
    close: () => app.close(),
  };
}

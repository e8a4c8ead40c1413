import { DbLockModule, getLockClientToken } from 'nestjs-db-lock';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { openApplication } from './lock-application.js';

/**
 * LockClient with telemetry, beside one without, over locks in memory: there, nothing hides what telemetry costs.
 *
 * @param {import('nestjs-db-lock/opentelemetry').Telemetry} telemetry
 * @returns {Promise<import('../../systems.js').System>}
 */
export async function openTold(telemetry) {
  const app = await openApplication([locksOf('told', telemetry), locksOf('untold')]);
  const cycleOf = (/** @type {string} */ feature) => {
    const locks = app.get(getLockClientToken(feature));
    return async (/** @type {string} */ lockName) => {
      const lease = await locks.acquire(lockName);
      await lease.release();
    };
  };
  return { cycle: cycleOf('told'), plainCycle: cycleOf('untold'), close: () => app.close() };
}

/** @param {string} feature @param {import('nestjs-db-lock/opentelemetry').Telemetry} [telemetry] */
const locksOf = (feature, telemetry) =>
  DbLockModule.forRoot({
    feature,
    telemetry,
    store: { useFactory: () => new MemoryLockStore() },
    autoRegisterAdmin: false,
    autoRegisterServices: false,
  });

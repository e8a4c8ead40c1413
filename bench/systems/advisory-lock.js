import advisoryLock from 'advisory-lock';

export const name = 'advisory-lock';
export const settings =
  'on pg_advisory_lock; opens a connection for each lock and closes it with the release, and has no other way';

/** Its default export, which it has as CommonJS. */
const connect = /** @type {any} */ (advisoryLock).default;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ databaseUrl }) {
  const createMutex = connect(databaseUrl);
  return {
    async tryAcquire(lockName) {
      const release = await createMutex(lockName).tryLock();
      return release ? { release } : null;
    },
    acquire: async (lockName) => ({ release: await createMutex(lockName).lock() }),
    close: async () => undefined,
  };
}

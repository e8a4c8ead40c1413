import { HttpCaller } from '../http/caller.js';
import { startHttpServer } from '../http/companion.js';

export const name = "django-db-lock's routes";
export const settings = 'GET acquireLock and GET releaseLock';

export const accompany = startHttpServer;

const SUCCESS = '{"success":true,"result":true}';

/** @type {import('../systems.js').SystemModule['open']} */
export async function open(place) {
  const http = new HttpCaller(place);
  const timeout = place.ttl / 1000;
  const call = async (/** @type {string} */ path) => (await http.call('GET', path, 200)) === SUCCESS;
  return {
    async tryAcquire(lockName) {
      const lock = `lockName=${lockName}&workerName=bench`;
      if (!(await call(`/dblock/acquireLock?${lock}&timeout=${timeout}`))) return null;
      return { release: () => call(`/dblock/releaseLock?${lock}`) };
    },
    close: () => http.close(),
  };
}

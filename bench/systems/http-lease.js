import { randomUUID } from 'node:crypto';
import { HttpCaller } from '../http/caller.js';
import { startHttpServer } from '../http/companion.js';

export const name = 'lease';
export const settings = 'POST and DELETE of a lease, the REST API';

export const accompany = startHttpServer;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open(place) {
  const http = new HttpCaller(place);
  const { ttl } = place;
  return {
    async tryAcquire(lockName) {
      const grantId = randomUUID();
      const lease = `/dblock/locks/${lockName}/lease`;
      await http.call('POST', lease, 201, { ttl, grantId, workerName: 'bench' });
      return { release: () => http.call('DELETE', `${lease}/${grantId}`, 204) };
    },
    close: () => http.close(),
  };
}

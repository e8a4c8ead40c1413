import { randomUUID } from 'node:crypto';
import { HttpCaller } from '../http/caller.js';
import { startHttpServer } from '../http/companion.js';

export const name = 'echo';
export const settings =
  'POST of the JSON that acquires a lease, answered with itself, and DELETE answered with 204, in the same application';

export const accompany = startHttpServer;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open(place) {
  const http = new HttpCaller(place);
  const { ttl } = place;
  return {
    async cycle(lockName) {
      const grantId = randomUUID();
      const lease = `/echo/${lockName}/lease`;
      await http.call('POST', lease, 201, { ttl, grantId, workerName: 'bench' });
      await http.call('DELETE', `${lease}/${grantId}`, 204);
    },
    close: () => http.close(),
  };
}

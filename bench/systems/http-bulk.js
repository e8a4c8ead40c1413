import { randomUUID } from 'node:crypto';
import { HttpCaller } from '../http/caller.js';
import { startHttpServer } from '../http/companion.js';

export const name = 'bulks of 32 leases';
export const settings =
  'POST leases with 32 acquires, and again with their 32 releases: as many as 256 connections may send before a server is overloaded';

export const accompany = startHttpServer;

const SIZE = 32;

/** @type {import('../systems.js').SystemModule['open']} */
export async function open(place) {
  const http = new HttpCaller(place);
  const { ttl } = place;
  const send = async (/** @type {object[]} */ requests, /** @type {number} */ expected) => {
    const { answers } = JSON.parse(await http.call('POST', '/dblock/leases', 200, { requests }));
    const failed = answers.find((/** @type {{ status: number }} */ { status }) => status !== expected);
    if (failed) throw new Error(`One request of a bulk: ${JSON.stringify(failed)}`);
  };
  return {
    size: SIZE,
    async cycle(lockName) {
      const leases = Array.from({ length: SIZE }, (_, index) => ({
        lockName: `${lockName}:${index}`,
        grantId: randomUUID(),
      }));
      await send(
        leases.map((lease) => ({ action: 'acquire', ...lease, ttl, workerName: 'bench' })),
        201,
      );
      await send(
        leases.map((lease) => ({ action: 'release', ...lease })),
        204,
      );
    },
    close: () => http.close(),
  };
}

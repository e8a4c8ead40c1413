import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { end } from '../child-process.js';
import { cpuOf } from './cpu.js';

const PERSISTENCE = ['save', 'appendonly', 'appendfsync'];

/**
 * @typedef {object} RedisServer
 * @property {string} url
 * @property {string} origin - which Redis it is, and how durable
 * @property {Record<string, string>} settings - its version, and what it keeps on disk
 * @property {() => number | undefined} cpu - that it has used so far, in µs; undefined when it can't be seen
 * @property {() => Promise<number>} countConnections - those of others
 * @property {() => Promise<void>} flush
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a Redis server that does not outlive this process. The tests' code helps, as in
 * {@link import('./postgres.js').startPostgres}.
 *
 * @param {Record<string, string>} settings - that differ from Redis' own
 * @returns {Promise<RedisServer>}
 */
export async function startRedis(settings) {
  await import('../../test/support/typescript-loader.mjs');
  const { findFreePort } = await import('../../test/support/free-port.ts');
  const { OrphanGuard } = await import('../../test/support/orphan-guard.ts');
  const { requireProgram } = await import('../../test/support/system-program.ts');

  requireProgram('redis-server');
  const home = await mkdtemp(join(tmpdir(), 'db-lock-redis-'));
  const guard = new OrphanGuard(home);
  const port = await findFreePort();
  const own = { bind: '127.0.0.1', port: String(port), dir: home, ...settings };
  const server = spawn(
    'redis-server',
    Object.entries(own).flatMap(([name, value]) => [`--${name}`, value]),
    { stdio: 'ignore' },
  );
  await once(server, 'spawn');
  const pid = /** @type {number} */ (server.pid);
  guard.watch([pid]);

  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: 100 });
  client.on('error', () => undefined); // Until it listens.
  const stop = async () => {
    client.disconnect();
    await end(server, 'SIGKILL'); // It would write everything down first.
    guard.release();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const { process_id: answering, redis_version: version } = await informationOf(client);
    if (Number(answering) !== pid) throw new Error(`Another Redis took port ${port}.`);
    const persistence = await persistenceOf(client);
    return {
      url,
      origin: `Redis ${version}: ${Object.entries(persistence)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ')}`,
      settings: { redis_version: version, ...persistence },
      cpu: () => cpuOf(pid, 'redis-server'),
      countConnections: async () =>
        String(await client.client('LIST'))
          .trim()
          .split('\n').length - 1,
      flush: async () => void (await client.flushall()),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {Redis} client @returns {Promise<Record<string, string>>} */
async function informationOf(client) {
  const lines = (await client.info('server')).split('\r\n');
  return Object.fromEntries(lines.filter((line) => line.includes(':')).map((line) => line.split(':')));
}

/** @param {Redis} client @returns {Promise<Record<string, string>>} */
async function persistenceOf(client) {
  const settings = [];
  for (const name of PERSISTENCE) {
    const [, value] = /** @type {string[]} */ (await client.config('GET', name));
    settings.push([name, value || '(none)']);
  }
  return Object.fromEntries(settings);
}

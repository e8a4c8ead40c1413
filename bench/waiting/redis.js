import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/**
 * @typedef {object} RedisServer
 * @property {string} url
 * @property {string} origin - which Redis it is, and how durable
 * @property {() => Promise<number>} countConnections - those of others
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a Redis server that keeps nothing and does not outlive this process. The tests' code helps, as in
 * {@link import('../database.js').openDatabase}.
 *
 * @returns {Promise<RedisServer>}
 */
export async function startRedis() {
  await import('../../test/support/typescript-loader.mjs');
  const { findFreePort } = await import('../../test/support/free-port.ts');
  const { OrphanGuard } = await import('../../test/support/orphan-guard.ts');

  const home = await mkdtemp(join(tmpdir(), 'db-lock-redis-'));
  const guard = new OrphanGuard(home);
  const port = await findFreePort();
  const settings = ['--bind', '127.0.0.1', '--port', port, '--dir', home, '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', settings.map(String), { stdio: 'ignore' });
  await once(server, 'spawn');
  guard.watch([/** @type {number} */ (server.pid)]);

  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: 100 });
  client.on('error', () => undefined); // Until it listens.
  const stop = async () => {
    client.disconnect();
    if (server.exitCode === null && server.signalCode === null) {
      server.kill();
      await once(server, 'exit');
    }
    guard.release();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const information = await client.info('server');
    const tell = (/** @type {string} */ field) =>
      new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(information)?.[1];
    if (Number(tell('process_id')) !== server.pid) throw new Error(`Another Redis took port ${port}.`);
    return {
      url,
      origin: `Redis ${tell('redis_version')}: no persistence`,
      countConnections: async () =>
        String(await client.client('LIST'))
          .trim()
          .split('\n').length - 1,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { end, isRunning } from '../child-process.js';
import { openLockClient } from './lock-client.js';

export const name = 'LockClient, two standalone servers';
export const settings =
  'two processes of the standalone server on one PostgreSQL, each called by half of the processes over HTTP';

const SERVERS = 2;

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** @type {import('../systems.js').SystemModule['open']} */
export const open = ({ origins = [], member, ttl }) =>
  openLockClient({ ttl }, { apiServer: `${origins[member % SERVERS]}/dblock` });

/** @type {NonNullable<import('../systems.js').SystemModule['accompany']>} */
export async function accompany({ databaseUrl }) {
  const { findFreePort } = await import('../../test/support/free-port.ts');
  const { OrphanGuard } = await import('../../test/support/orphan-guard.ts');

  const home = await mkdtemp(join(tmpdir(), 'db-lock-servers-'));
  const guard = new OrphanGuard(home);
  const ports = await Promise.all(Array.from({ length: SERVERS }, findFreePort));
  const servers = ports.map((port) => launch(databaseUrl, port));
  guard.watch(servers.map(({ pid }) => /** @type {number} */ (pid)));
  const stop = async () => {
    await Promise.all(servers.map((server) => end(server)));
    guard.release();
    await rm(home, { recursive: true, force: true });
  };
  const origins = ports.map((port) => `http://127.0.0.1:${port}`);
  try {
    await Promise.all(origins.map((origin, index) => ready(servers[index], origin)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { place: { origins }, cpu: () => undefined, stop };
}

/** @param {string} databaseUrl @param {number} port */
function launch(databaseUrl, port) {
  const env = {
    PATH: process.env.PATH,
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    DB_LOCK_CREATE_TABLES: 'true',
    LOG_LEVEL: 'warn',
  };
  return spawn(process.execPath, [MAIN], { env, stdio: 'ignore' });
}

/** @param {import('node:child_process').ChildProcess} server @param {string} origin */
async function ready(server, origin) {
  while (!(await answers(`${origin}/health/ready`))) {
    if (!isRunning(server)) throw new Error('A standalone server ended before it was ready.');
    await sleep(100);
  }
}

/** @param {string} url */
async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

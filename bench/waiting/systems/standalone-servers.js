import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openLockApplication } from '../../systems/lock-application.js';
import { PATIENCE, TTL } from '../systems.js';

export const name = 'standalone servers';
export const settings =
  'two processes of the standalone server on one PostgreSQL, each called by half of the processes over HTTP; wait 60 s, TTL 30 s';

const SERVERS = 2;

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

/** @type {import('../systems.js').SystemModule['open']} */
export async function open({ lockName, apiServers, member }) {
  const { locks, close } = await openLockApplication(undefined, {
    autoRegisterModel: false,
    createTables: undefined,
    apiServer: apiServers?.[member % SERVERS],
  });
  return {
    async acquire() {
      const lease = await locks.acquire(lockName, { wait: PATIENCE, ttl: TTL });
      return () => lease.release();
    },
    close,
  };
}

/** Starts the servers; build them first. @type {NonNullable<import('../systems.js').SystemModule['prepare']>} */
export async function prepare({ postgresUrl }) {
  const { findFreePort } = await import('../../../test/support/free-port.ts');
  const servers = [];
  for (let count = 0; count < SERVERS; count++) servers.push(await start(postgresUrl, await findFreePort()));
  return {
    apiServers: servers.map(({ apiServer }) => apiServer),
    async close() {
      for (const { stop } of servers) await stop();
    },
  };
}

/** @param {string} postgresUrl @param {number} port */
async function start(postgresUrl, port) {
  const server = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATABASE_URL: postgresUrl,
      DB_LOCK_CREATE_TABLES: 'true',
      LOG_LEVEL: 'warn',
    },
    stdio: 'ignore',
  });
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  const origin = `http://127.0.0.1:${port}`;
  while (!(await isReady(origin))) {
    if (server.exitCode !== null) throw new Error('The standalone server ended: npm run build?');
    await sleep(100);
  }
  return {
    apiServer: `${origin}/dblock`,
    async stop() {
      process.off('exit', kill);
      server.kill();
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  };
}

/** @param {string} origin */
async function isReady(origin) {
  try {
    return (await fetch(`${origin}/health/ready`)).ok;
  } catch {
    return false;
  }
}

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { end, messageOf } from '../child-process.js';
import { cpuOf } from '../servers/cpu.js';

const SERVER = fileURLToPath(new URL('server.js', import.meta.url));

/**
 * Starts an HTTP server beside the process that calls it.
 *
 * @param {import('../systems.js').Place} place
 * @returns {Promise<import('../systems.js').Companion>}
 */
export async function startHttpServer({ platform, databaseUrl }) {
  const { findFreePort } = await import('../../test/support/free-port.ts');
  const port = String(await findFreePort());
  const server = fork(SERVER, [String(platform), port, databaseUrl], { stdio: ['ignore', 2, 2, 'ipc'] });
  await messageOf(server, `of the HTTP server on ${platform}`);
  const pid = /** @type {number} */ (server.pid);
  return {
    place: { origins: [`http://127.0.0.1:${port}`] },
    cpu: () => cpuOf(pid),
    stop: () => end(server, 'SIGKILL'),
  };
}

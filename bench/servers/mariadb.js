import { execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { end, isRunning } from '../child-process.js';

const run = promisify(execFile);

/** Durable, with room for a connection a caller, and for a table of five million locks. */
const SETTINGS = {
  'innodb-flush-log-at-trx-commit': '1',
  'sync-binlog': '1',
  'innodb-buffer-pool-size': '1G',
  'innodb-log-file-size': '1G',
  'max-connections': '700',
};

/** How long it may take to start, in ms. */
const PATIENCE = 120_000;

/**
 * Starts a MariaDB server on a free port of the loopback interface, which does not outlive this process. The tests' code
 * helps, as in {@link import('./postgres.js').startPostgres}.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startMariadb() {
  await import('../../test/support/typescript-loader.mjs');
  const { findFreePort } = await import('../../test/support/free-port.ts');
  const { OrphanGuard } = await import('../../test/support/orphan-guard.ts');
  const { requireProgram } = await import('../../test/support/system-program.ts');

  requireProgram('mariadbd', 'mariadb-server');
  const user = await findUser();
  const home = await mkdtemp(join(tmpdir(), 'db-lock-mariadb-'));
  const guard = new OrphanGuard(home);
  const log = join(home, 'server.log');
  if (user) await chown(home, user.uid, user.gid);
  const asUser = { ...user, cwd: home };
  const datadir = join(home, 'data');
  const install = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve'];
  await run('mariadb-install-db', ['--no-defaults', `--datadir=${datadir}`, ...install], asUser);

  const port = await findFreePort();
  const options = {
    ...SETTINGS,
    datadir,
    port: String(port),
    'bind-address': '127.0.0.1',
    socket: join(home, 'socket'),
    'pid-file': join(home, 'pid'),
  };
  const output = openSync(log, 'a');
  const server = spawn(
    'mariadbd',
    [
      '--no-defaults',
      '--skip-name-resolve',
      ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    ],
    { ...asUser, stdio: ['ignore', output, output] },
  );
  closeSync(output);
  guard.watch([/** @type {number} */ (server.pid)]);
  const stop = async () => {
    await end(server);
    guard.release();
    await rm(home, { recursive: true, force: true });
  };
  const url = `mariadb://root@127.0.0.1:${port}`;
  try {
    await untilItAnswers(url, datadir, server);
    return { url, stop };
  } catch (error) {
    const told = await readFile(log, 'utf8');
    await stop();
    throw new Error(`MariaDB did not start. Its log:\n${told}`, { cause: error });
  }
}

/** MariaDB refuses to run as root. @returns {Promise<{ uid: number, gid: number } | undefined>} */
async function findUser() {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(['-u', '-g'].map((option) => run('id', [option, 'mysql'])));
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** @param {string} uri @param {string} datadir @param {import('node:child_process').ChildProcess} server */
async function untilItAnswers(uri, datadir, server) {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    if (!isRunning(server)) throw new Error('It ended before it answered.');
    try {
      const session = await mysql.createConnection({ uri });
      const [rows] = await session.query('SELECT @@datadir AS datadir');
      await session.end();
      if (/** @type {any[]} */ (rows)[0].datadir === `${datadir}/`) return;
      throw new Error('Another server took its port.');
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './check.js';
import { checkCommandLine } from './command-line.js';
import { run } from './command.js';

/** @import { Tarball } from './tarball.js' */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', '--omit=dev'];

const LEASE = { ttl: '1m', workerName: 'check', grantId: '6f1c7c0e-52a1-4d5e-8f0a-2b9f6f0f4f11' };

/**
 * The lock server as a package: `npx db-lock-server` on a machine that has nothing but Node.js.
 * @param {Tarball} library
 * @param {string} workshop
 */
export async function checkServer(library, workshop) {
  const directory = join(workshop, 'server');
  const tarball = await check('builds and packs the server', () => packServer(workshop));
  await check(
    'installs the server, with its embedded database and all drivers, and nothing to build',
    async () => {
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, 'package.json'), '{ "private": true }');
      await run(directory, 'npm', ...INSTALL, '--ignore-scripts', library.path, tarball);
    },
  );
  await withServer(directory, async (origin) => {
    await check('serves locks and the admin page: npx db-lock-server', () => useServer(origin));
    await checkCommandLine(directory, origin);
  });
}

/** @param {string} directory @returns {Promise<string>} */
async function packServer(directory) {
  const [{ filename }] = JSON.parse(
    await run(ROOT, 'npm', 'pack', '--pack-destination', directory, '--json', '--silent'),
  );
  return join(directory, filename);
}

/**
 * Starts the server, has it used, and ends it.
 * @param {string} directory
 * @param {(origin: string) => Promise<void>} use
 */
async function withServer(directory, use) {
  const { findFreePort } = await import('../../test/support/free-port.ts');
  const port = await findFreePort();
  const child = spawn(join(directory, 'node_modules/.bin/db-lock-server'), {
    cwd: directory,
    env: { PATH: process.env.PATH, PORT: String(port), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const exited = once(child, 'exit');
  try {
    await readiness(child);
    await use(`http://127.0.0.1:${port}`);
  } finally {
    child.kill('SIGTERM');
  }
  const [code] = await exited;
  if (code !== 0) throw new Error(`It ended with ${code} on SIGTERM.`);
}

/** @param {string} origin */
async function useServer(origin) {
  const granted = await fetch(`${origin}/dblock/locks/report/lease`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(LEASE),
  });
  if (granted.status !== 201) throw new Error(`It grants no lock: ${granted.status} ${await granted.text()}`);
  const page = await fetch(`${origin}/dblock/admin`);
  if (!(await page.text()).includes('<title>')) throw new Error(`It serves no admin page: ${page.status}`);
}

/**
 * Resolves when the server has told where it serves what.
 * @param {import('node:child_process').ChildProcess} child
 */
function readiness(child) {
  return new Promise((resolve, reject) => {
    let told = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      told += text;
      if (told.includes('is ready')) resolve(undefined);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`The server has ended:\n${told}`)));
  });
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './check.js';
import { attempt, run } from './command.js';
import { compile, entryPointsOf, install } from './project.js';

/** @import { Tarball } from './tarball.js' */

const IMPORT =
  'import(process.argv[1]).catch((error) => { console.log(error.message); process.exitCode = 1; })';

/** What the tables of a feature called billing are made with. */
const BILLING_TABLES = ['CREATE TABLE', 'billing_lock', 'billing_history'];

/**
 * An application that has none of the optional peers, nor any database driver: it takes its locks from a remote server.
 * @param {Tarball} tarball
 * @param {string} workshop
 */
export async function checkClientOnly(tarball, workshop) {
  const { name, peerDependencies, peerDependenciesMeta } = tarball.manifest;
  const directory = join(workshop, 'client-only');
  const isOptional = (/** @type {string} */ peer) => peerDependenciesMeta[peer]?.optional;
  const peers = Object.keys(peerDependencies);
  const absent = peers.filter(isOptional);
  await check('installs without any optional package', async () => {
    await install(directory, tarball, [...peers.filter((peer) => !isOptional(peer)), '@types/node']);
    const present = absent.filter((peer) => existsSync(join(directory, 'node_modules', peer)));
    if (present.length > 0) throw new Error(`${present.join(', ')} came along all the same`);
  });
  await check('has sound types without them', () =>
    compile(directory, { sources: 'client-only', type: 'module', entryPoints: [name] }),
  );
  await check('starts as a client of a remote server, with no database driver', () =>
    run(directory, process.execPath, 'dist/main.js'),
  );
  for (const entryPoint of entryPointsOf(tarball.manifest).filter((path) => path !== name))
    await checkAbsence(directory, entryPoint, absent);
  await check('prints the SQL of a feature: npx db-lock-sql --feature billing', () => checkSql(directory));
}

/**
 * @param {string} directory
 * @param {string} entryPoint
 * @param {string[]} absent packages that are not installed
 */
async function checkAbsence(directory, entryPoint, absent) {
  const { ok, output } = await attempt(directory, process.execPath, '-e', IMPORT, entryPoint);
  const missed = absent.find((peer) => output.includes(`'${peer}'`));
  await check(
    `${entryPoint} ${ok ? 'needs no optional package' : `says that it lacks ${missed}`}`,
    async () => {
      if (!ok && missed === undefined) throw new Error(output);
    },
  );
}

/** @param {string} directory */
async function checkSql(directory) {
  const sql = await run(directory, 'npx', '--no-install', 'db-lock-sql', '--feature', 'billing');
  const missing = BILLING_TABLES.filter((part) => !sql.includes(part));
  if (missing.length > 0) throw new Error(`It lacks ${missing.join(', ')}:\n\n${sql}`);
}

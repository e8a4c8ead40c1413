import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './check.js';
import { run } from './command.js';
import { checkConformance } from './conformance.js';
import { checkBuilders, checkOldest, checkOptional } from './nest-11.js';

/** @import { Tarball } from './tarball.js' */
/** @import { Surroundings } from './surroundings.js' */

const SAMPLES = fileURLToPath(new URL('../../samples/', import.meta.url));

/** Run under each version of Node.js: an ES module and CommonJS. */
const ON_EACH_NODE = ['01-first-lock', '04-nest-11-commonjs'];

/** One whose packages are of the oldest majors that we take. */
const OLDEST = '04-nest-11-commonjs';

/**
 * Runs the commands of each sample's README in a new directory, with the library from its tarball.
 * @param {Tarball} tarball
 * @param {string} workshop
 * @param {Surroundings} surroundings
 */
export async function checkSamples(tarball, workshop, { createDatabase, nodes }) {
  const entries = await readdir(SAMPLES, { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const directory = join(workshop, name);
    const url = await createDatabase();
    await lay(name, directory, tarball);
    const commands = await commandsOf(directory);
    await check(`samples/${name}: ${commands.filter((line) => !line.startsWith('export')).join(', ')}`, () =>
      follow(directory, commands, url),
    );
    if (ON_EACH_NODE.includes(name))
      for (const [version, bin] of nodes)
        await check(`samples/${name} on Node ${version}`, () =>
          follow(
            directory,
            ['node --version', ...commands.filter((line) => !line.includes('install'))],
            url,
            bin,
          ),
        );
    if (name === OLDEST) {
      await checkOldest(directory, url);
      await checkOptional(directory, url);
      await checkBuilders(directory, url);
      await checkConformance(directory, {
        name: 'Nest 11 and TypeORM 0.3',
        database: { type: 'postgres', url },
      });
    }
  }
}

/**
 * Copies a sample, as somebody would who has not got this repository.
 * @param {string} name
 * @param {string} directory
 * @param {Tarball} tarball
 */
async function lay(name, directory, tarball) {
  await mkdir(directory, { recursive: true });
  await cp(join(SAMPLES, name), directory, { recursive: true });
  const path = join(directory, 'package.json');
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  manifest.dependencies[tarball.manifest.name] = `file:${tarball.path}`;
  await writeFile(path, JSON.stringify(manifest, undefined, 2));
}

/** The commands of a README, line by line. @param {string} directory */
async function commandsOf(directory) {
  const readme = await readFile(join(directory, 'README.md'), 'utf8');
  const [, commands] = /```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  if (commands === undefined) throw new Error(`The README of ${directory} has no commands.`);
  return commands.trim().split('\n');
}

/**
 * @param {string} directory
 * @param {string[]} commands
 * @param {string} url
 * @param {string} [bin] where another Node.js is
 */
async function follow(directory, commands, url, bin) {
  const path = bin === undefined ? '' : `export PATH="${bin}:$PATH"; `;
  await run(
    directory,
    'bash',
    '-c',
    `set -euo pipefail; export DATABASE_URL='${url}'; ${path}${commands.join('\n')}`,
  );
}

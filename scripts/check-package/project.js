import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.js';

/** @import { Manifest, Tarball } from './tarball.js' */

const TYPESCRIPT = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));

const INSTALL = ['--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'];

/** TypeORM 1.1 asks for ioredis 5, which this repository overrides; a new project has none of our overrides. */
const AS_USERS_HAVE_IT = { ioredis: '^5.10.0' };

const COMPILER_OPTIONS = {
  target: 'es2022',
  module: 'nodenext',
  outDir: 'dist',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: false,
};

/**
 * Makes a new project and installs packages: in the versions that this repository is tested with, the library's own
 * dependencies in those that a user would get today.
 * @param {string} directory
 * @param {Tarball} tarball
 * @param {string[]} packages
 */
export async function install(directory, tarball, packages) {
  const { dependencies, devDependencies } = await readJson(new URL('../../package.json', import.meta.url));
  const versions = { ...dependencies, ...devDependencies, ...AS_USERS_HAVE_IT };
  await mkdir(directory, { recursive: true });
  await writeJson(directory, 'package.json', { private: true });
  const pinned = packages.map(
    (name) => `${name}@${versions[name] ?? tarball.manifest.peerDependencies[name]}`,
  );
  await run(directory, 'npm', 'install', ...INSTALL, tarball.path, ...pinned);
}

/**
 * Lays the sources of an application into a project, as ES modules or as CommonJS, and compiles them strictly, with all
 * types that they and the entry points come upon (skipLibCheck: false).
 * @param {string} directory
 * @param {{ sources: string, type: 'module' | 'commonjs', entryPoints: string[] }} application
 */
export async function compile(directory, { sources, type, entryPoints }) {
  await cp(new URL(`projects/${sources}/`, import.meta.url), directory, { recursive: true });
  await writeFile(
    join(directory, 'entry-points.ts'),
    entryPoints.map((name) => `import '${name}';\n`).join(''),
  );
  await writeJson(directory, 'package.json', { private: true, type });
  await writeJson(directory, 'tsconfig.json', { compilerOptions: COMPILER_OPTIONS });

  await run(directory, process.execPath, TYPESCRIPT, '--pretty', 'false');
}

/**
 * The names by which the library is imported.
 * @param {Manifest} manifest
 */
export function entryPointsOf({ name, exports }) {
  return Object.keys(exports)
    .filter((path) => path !== './package.json')
    .map((path) => name + path.slice(1));
}

/**
 * @param {string} directory
 * @param {string} name
 * @param {object} content
 */
async function writeJson(directory, name, content) {
  await writeFile(join(directory, name), JSON.stringify(content));
}

/** @param {URL} file */
async function readJson(file) {
  return JSON.parse(await readFile(file, 'utf8'));
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesOfFirstLoad } from '../admin-page.js';
import { check } from './check.js';
import { run } from './command.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const DOCUMENTS = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];

/** What ES modules and CommonJS have in common, and what marks the latter. */
const COMMON = ['package-root.cjs', 'package-root.d.cts', 'dist/cjs/package.json', 'dist/package-root.cjs'];

/** The tarball's size, in bytes, that it must stay below. */
const MOST_BYTES = 1_000_000;

/**
 * @typedef {object} Manifest what package.json says of the library
 * @property {string} name
 * @property {Record<string, string | Record<string, { types: string, default: string }>>} exports
 * @property {Record<string, string>} bin
 * @property {Record<string, string>} peerDependencies
 * @property {Record<string, { optional: boolean }>} peerDependenciesMeta
 */

/**
 * @typedef {object} Tarball
 * @property {string} path
 * @property {string[]} files their paths in the package
 * @property {number} size in bytes
 * @property {Manifest} manifest
 */

/** @typedef {{ filename: string, size: number, files: Array<{ path: string }> }} Packed what `npm pack` tells of a tarball */

/**
 * Builds the library with its admin page, and packs it.
 * @param {string} directory where the tarball comes
 * @returns {Promise<Tarball>}
 */
export async function buildTarball(directory) {
  await run(ROOT, 'npm', 'run', 'build:lib');
  await run(ROOT, 'npm', 'run', 'build:admin');
  const pack = [
    'pack',
    '--workspace',
    'nestjs-db-lock',
    '--pack-destination',
    directory,
    '--json',
    '--silent',
  ];
  const [packed] = /** @type {Packed[]} */ (JSON.parse(await run(ROOT, 'npm', ...pack)));
  const manifest = JSON.parse(await readFile(join(ROOT, 'libs/db-lock/package.json'), 'utf8'));
  return {
    path: join(directory, packed.filename),
    files: packed.files.map(({ path }) => path),
    size: packed.size,
    manifest,
  };
}

/** @param {Tarball} tarball */
export async function checkContents({ files, manifest, size }) {
  const code = files.filter((path) => /^dist\/.*\.js$/.test(path));
  const loadedLater = files.filter((path) => /^admin-page\/assets\/[\w-]+\.(js|css|svg)$/.test(path));
  const expected = [
    ...DOCUMENTS,
    ...COMMON,
    ...code.flatMap((path) => [path, path.replace(/js$/, 'd.ts')]),
    ...code.filter((path) => !path.startsWith('dist/cjs/')).map((path) => `${path}.map`),
    ...(await filesOfFirstLoad()).map((path) => `admin-page/${path}`),
    ...loadedLater,
    ...Object.values(manifest.bin),
    ...Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [] : Object.values(target).flatMap((way) => Object.values(way)),
    ),
  ].map((path) => path.replace(/^\.\//, ''));

  const missing = expected.filter((path) => !files.includes(path));
  const stray = files.filter((path) => !expected.includes(path) || path.includes('.spec.'));
  if (missing.length > 0) throw new Error(`The tarball lacks ${missing.join(', ')}`);
  if (stray.length > 0) throw new Error(`The tarball should not hold ${stray.join(', ')}`);
  if (size >= MOST_BYTES) throw new Error(`The tarball has ${size} bytes, of at most ${MOST_BYTES}.`);
}

/**
 * Two linters that read what npm and TypeScript will make of package.json.
 * @param {Tarball} tarball
 */
export async function checkManifest({ path }) {
  const linter = (/** @type {string} */ name) => join(ROOT, 'node_modules/.bin', name);
  await check('publint finds nothing to mend', () => run(ROOT, linter('publint'), 'run', path, '--strict'));
  await check('attw finds no type that is resolved wrongly', () =>
    run(ROOT, linter('attw'), path, '--profile', 'node16', '--no-definitely-typed'),
  );
}

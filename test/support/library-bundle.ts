import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const SELF = fileURLToPath(import.meta.url);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = join(ROOT, 'libs/db-lock/src');

/** Two folders below the library's, as its sources are: they look for the admin page from there. */
const BUNDLE = join(ROOT, 'libs/db-lock/.cache/library');

/** What has an export of its own, because it needs what not every application has. */
const OPTIONAL = /\/src\/(?:openapi|pglite|terminus|testing)\b|\/pglite\//;

/**
 * Puts the library's sources together in one file, unless that is newer than they are: jest loads each file anew for each
 * suite, and one is loaded several times faster than 120. Beside it, each source has a file of its name that exports what the
 * source does; so whatever a suite imports comes from the same copy.
 */
export async function bundleLibrary(): Promise<void> {
  const paths = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' });
  const built = join(BUNDLE, 'library.js');
  const newest = Math.max(...[SELF, SOURCES, ...paths.map((path) => join(SOURCES, path))].map(modified));
  if (existsSync(built) && modified(built) > newest) return;
  const modules = paths.filter((path) => /(?<!\.spec)\.ts$/.test(path) && !path.startsWith('bin/'));
  await using bundle = await rolldown({
    input: Object.fromEntries(modules.map((path) => [path.replace(/\.ts$/, ''), join(SOURCES, path)])),
    platform: 'node',
    tsconfig: join(ROOT, 'tsconfig.json'),
    transform: { target: 'es2022' },
    external: (id) => !/^[./\0]|^@oxc-project\//.test(id),
    treeshake: false,
  });
  await bundle.write({
    dir: BUNDLE,
    cleanDir: true,
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    codeSplitting: { groups: [{ name: 'library', test: (id) => !OPTIONAL.test(id) }] },
  });
}

const modified = (path: string): number => statSync(path).mtimeMs;

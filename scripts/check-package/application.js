import { join } from 'node:path';
import { check } from './check.js';
import { checkConformance } from './conformance.js';
import { run } from './command.js';
import { compile, entryPointsOf, install } from './project.js';

/**
 * @import { Surroundings } from './surroundings.js'
 * @import { Tarball } from './tarball.js'
 */

/** Node refuses to require a module that waits at its top level, or that imports one which does. */
const REQUIRE_ALL = 'for (const name of process.argv.slice(1)) require(name);';

/**
 * An application that has all peers: its locks in SQLite, compiled and run as ES modules and as CommonJS.
 * @param {Tarball} tarball
 * @param {string} workshop
 * @param {Surroundings} place
 */
export async function checkApplication(tarball, workshop, { nodes }) {
  const directory = join(workshop, 'application');
  const peers = Object.keys(tarball.manifest.peerDependencies);
  const entryPoints = entryPointsOf(tarball.manifest);
  await check('installs beside NestJS and every optional package', () =>
    install(directory, tarball, [...peers, '@nestjs/platform-express', '@nestjs/testing', '@types/node']),
  );

  for (const [type, name] of /** @type {const} */ ([
    ['module', 'an ES module'],
    ['commonjs', 'CommonJS'],
  ])) {
    const application = join(directory, type);
    await check(`has sound types for ${name}`, () =>
      compile(application, { sources: 'application', type, entryPoints }),
    );
    await check(`locks, shows and serves locks on SQLite, and the admin page, from ${name}`, () =>
      run(application, process.execPath, 'dist/main.js'),
    );
  }
  const copies = join(directory, 'two-copies');
  await check('knows what another copy of it has made', async () => {
    await compile(copies, { sources: 'two-copies', type: 'module', entryPoints: [] });
    await run(copies, process.execPath, 'dist/main.js');
  });
  await check('is loaded by require(), every entry point', () =>
    run(join(directory, 'commonjs'), process.execPath, '-e', REQUIRE_ALL, ...entryPoints),
  );
  await Promise.all([
    checkConformance(directory, {
      name: 'SQLite with better-sqlite3',
      database: { type: 'better-sqlite3', database: 'better.db' },
    }),
    ...[...nodes].map(([major, node]) =>
      checkConformance(directory, {
        name: `SQLite with that of Node ${major}`,
        database: { type: 'better-sqlite3', database: `node-${major}.db` },
        driver: 'node:sqlite',
        node,
      }),
    ),
  ]);
}

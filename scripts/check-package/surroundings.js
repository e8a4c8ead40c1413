import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { check } from './check.js';
import { run } from './command.js';

/** The majors of Node.js that a package of npm brings, beside the one that runs this. */
const NODES = ['22', '24'];

/**
 * What the samples need around them: a PostgreSQL, and other versions of Node.js.
 * @typedef {object} Surroundings
 * @property {() => Promise<string>} createDatabase - resolves with its address
 * @property {Map<string, string>} nodes - the directory of each version's program
 * @property {() => Promise<void>} close
 */

/** @param {string} workshop @returns {Promise<Surroundings>} */
export async function surroundings(workshop) {
  const nodes = await check(`finds Node ${NODES.join(' and ')}`, () => installNodes(join(workshop, 'nodes')));
  await import('../../test/support/typescript-loader.mjs');
  const { startPostgres } = await import('../../test/support/postgres-server.ts');
  const { createTestDatabase, removeTestDatabases } = await import('../../test/support/test-database.ts');
  const given = process.env.TEST_DATABASE_URL;
  const server = given === undefined ? await startPostgres() : undefined;
  process.env.DB_LOCK_TEST_ADMIN_URL = given ?? server?.url;
  return {
    nodes,
    createDatabase: async () => (await createTestDatabase()).url,
    close: async () => {
      await removeTestDatabases();
      await server?.stop();
    },
  };
}

/** @param {string} directory @returns {Promise<Map<string, string>>} */
async function installNodes(directory) {
  const nodes = new Map();
  for (const major of NODES) {
    const place = join(directory, major);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'package.json'), '{ "private": true }');
    const platform = `${process.platform}-${process.arch}`;
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'];
    await run(place, 'npm', ...install, `node-${platform}@${major}`);
    nodes.set(major, join(place, `node_modules/node-${platform}/bin`));
  }
  return nodes;
}

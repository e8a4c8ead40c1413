import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { check } from './check.js';
import { run } from './command.js';

/**
 * The conformance suite in a project that has the library, by the runner that comes with Node.js.
 * @param {string} directory of the project
 * @param {object} place
 * @param {string} place.name - what is checked
 * @param {object} place.database - options of TypeORM
 * @param {string} [place.driver] - `node:sqlite`
 * @param {string} [place.node] - the directory of another Node.js
 */
export async function checkConformance(directory, { name, database, driver, node }) {
  await cp(new URL('projects/conformance.cjs', import.meta.url), join(directory, 'conformance.cjs'));
  const program = node === undefined ? process.execPath : join(node, 'node');
  const environment = [`DATABASE=${JSON.stringify(database)}`, ...(driver ? [`DRIVER=${driver}`] : [])];
  await check(`shows the behaviours of the conformance suite on ${name}`, () =>
    run(directory, 'env', ...environment, program, '--test', 'conformance.cjs'),
  );
}

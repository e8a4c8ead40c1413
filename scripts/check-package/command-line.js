import { check } from './check.js';
import { run } from './command.js';

/** Runs another copy of itself under the same lock, which must be refused. */
const SCRIPT = 'npx --no-install db-lock run job -- echo twice || echo "the second copy ended with $?"';

/**
 * The command line as an operator has it: over HTTP, and straight to a database.
 * @param {string} directory of a project that has the library and a driver
 * @param {string} server the address of a lock server
 */
export async function checkCommandLine(directory, server) {
  for (const [way, place] of [
    ['a server', `DB_LOCK_SERVER=${server}`],
    ['SQLite', 'DATABASE_URL=sqlite:command-line.db'],
  ]) {
    const lock = (/** @type {string[]} */ ...args) =>
      run(directory, 'env', place, 'npx', '--no-install', 'db-lock', ...args);
    await check(`guards a script with a lock of ${way}: npx db-lock run`, async () => {
      if (way === 'SQLite') await lock('migrate');
      expect(await lock('run', 'job', '--', 'sh', '-c', SCRIPT), 'the second copy ended with 75\n');
      const job = JSON.parse(await lock('list', '--prefix', 'job', '--json'));
      expect(`${job.lockName} is ${job.state}`, 'job is released');
    });
  }
  await check('tells how it is used: npx db-lock --help', async () => {
    const help = await run(directory, 'npx', '--no-install', 'db-lock', '--help');
    if (!help.includes('Examples:')) throw new Error(help);
  });
}

/** @param {string} found @param {string} expected */
function expect(found, expected) {
  if (found !== expected)
    throw new Error(`It printed this, instead of ${JSON.stringify(expected)}:\n${found}`);
}

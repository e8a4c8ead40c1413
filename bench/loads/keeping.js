import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How many are asked for at a time. */
const CALLERS = 256;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

/** Those that are kept until the process ends. @type {import('../systems.js').Held[]} */
export const kept = [];

/**
 * Takes locks whose leases are kept alive.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {{ lockNames: string[] }} options
 * @returns {Promise<{ heap: number }>} in bytes a lease
 */
export async function run([{ keep }], { lockNames }) {
  if (!keep) throw new Error('This system keeps no lease alive.');
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const names = lockNames.values();
  const take = async () => {
    for (const lockName of names) kept.push(await keep(lockName));
  };
  await Promise.all(Array.from({ length: CALLERS }, take));
  collectGarbage();
  return { heap: (process.memoryUsage().heapUsed - before) / lockNames.length };
}

/**
 * Takes locks and keeps them, for as long as the process lives and their TTL lasts.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {{ lockNames: string[] }} options
 */
export async function run([{ tryAcquire }], { lockNames }) {
  for (const lockName of lockNames)
    if (!(await tryAcquire?.(lockName))) throw new Error(`${lockName} could not be taken.`);
}

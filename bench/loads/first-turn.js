/**
 * Takes and releases the lock once, so that what is done only once is done.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {{ lockName: string }} options
 */
export async function run([{ acquire }], { lockName }) {
  const lock = await acquire?.(lockName);
  await lock?.release();
}

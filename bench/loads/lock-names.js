/**
 * The locks that callers ask for.
 *
 * @typedef {object} LockNames
 * @property {string} prefix
 * @property {number} count - they are shared out among the callers, so that nobody contends; a single one is everybody's
 * @property {'in turn' | 'at random'} order
 */

/**
 * @param {LockNames} names
 * @param {number} caller - from 0
 * @param {number} callers
 * @returns {() => string} gives the next
 */
export function namesFor({ prefix, count, order }, caller, callers) {
  if (count === 1) return () => prefix;
  const share = Math.floor(count / callers);
  let turn = 0;
  const place = order === 'at random' ? () => Math.floor(Math.random() * share) : () => turn++ % share;
  return () => `${prefix}${place() * callers + caller}`;
}

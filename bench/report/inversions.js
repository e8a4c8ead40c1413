/**
 * Counts the pairs of a grant and a waiter who had asked earlier and still waited then.
 *
 * @param {import('./hand-offs.js').Attempt[]} attempts - all of them, also those that were not granted
 * @param {import('./hand-offs.js').Grant[]} grants - of which to count those overtaken, in their order
 * @returns {{ within: number, between: number }} in the same process as the grant, and in others
 */
export function countInversions(attempts, grants) {
  const comers = attempts.toSorted((one, other) => one.asked - other.asked);
  /** @type {Set<import('./hand-offs.js').Attempt>} In the order in which they asked. */
  const waiting = new Set();
  let next = 0;
  const count = { within: 0, between: 0 };

  for (const grant of grants) {
    for (; next < comers.length && comers[next].asked <= grant.granted; next++) waiting.add(comers[next]);
    for (const waiter of waiting) {
      if (waiter.asked >= grant.asked) break;
      if (waiter.granted !== undefined && waiter.granted <= grant.granted) waiting.delete(waiter);
      else if (waiter.process === grant.process) count.within++;
      else count.between++;
    }
    waiting.delete(grant);
  }
  return count;
}

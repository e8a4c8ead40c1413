/**
 * The systems in another order each round, so that none always comes first.
 *
 * @template System
 * @param {System[]} systems
 * @param {number} round
 */
export function rotated(systems, round) {
  const first = round % systems.length;
  return [...systems.slice(first), ...systems.slice(0, first)];
}

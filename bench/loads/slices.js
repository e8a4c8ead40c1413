import { cycleOf, spin, timed } from './cycles.js';
import { Tally } from './tally.js';

/**
 * @typedef {object} Side
 * @property {number} system - its index
 * @property {'cycle' | 'plainCycle'} does
 * @property {import('./lock-names.js').LockNames} names
 */

/**
 * Compares systems of one process more finely than rounds can: they take turns, a slice of time each, and another begins
 * each time.
 *
 * @param {import('../systems.js').System[]} systems
 * @param {{ callers: number, seconds: number, slice: number, sides: Side[] }} options - `seconds` for each side,
 *   `slice` in ms
 * @returns {Promise<import('./tally.js').Report[]>} one a side
 */
export async function run(systems, { callers, seconds, slice, sides }) {
  const contestants = sides.map(({ system, does, names }) => {
    const tally = new Tally();
    const { plainCycle } = systems[system];
    const cycle =
      does === 'plainCycle' && plainCycle ? timed(plainCycle, 1, tally) : cycleOf(systems[system], tally);
    return { tally, cycle, names };
  });
  const turns = Math.ceil((seconds * 1000) / slice);
  for (let turn = 0; turn < turns; turn++) {
    for (const { tally, cycle, names } of turn % 2 ? contestants.toReversed() : contestants)
      await spin(tally, cycle, { callers, seconds: slice / 1000, names });
  }
  return contestants.map(({ tally }) => tally.report());
}

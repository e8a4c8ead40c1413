import { cycleOf, spin } from './cycles.js';
import { Tally } from './tally.js';

/**
 * Lets one reader take and release a lock, alone and then beside many others who hold it, again and again. The others come
 * and go all at once, and what that takes is shared out among them.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {{ readers: number, seconds: number, slice: number, lockName: string }} options - `seconds` alone, and as many
 *   beside the others; `slice` in ms: for how long each time
 * @returns {Promise<import('./tally.js').Report[]>} of the reader alone, of the reader beside the others, of the others
 */
export async function run([system], { readers, seconds, slice, lockName }) {
  const { tryAcquire } = system;
  if (!tryAcquire) throw new Error('This system does not try for locks.');
  const [alone, beside, others] = [new Tally(), new Tally(), new Tally()];
  const names = /** @type {const} */ ({ prefix: lockName, count: 1, order: 'in turn' });
  const read = (/** @type {Tally} */ tally) =>
    spin(tally, cycleOf(system, tally), { callers: 1, seconds: slice / 1000, names });

  const join = async () => {
    const held = await tryAcquire(lockName);
    if (!held) throw new Error(`${lockName} is busy, though all share it.`);
    return held;
  };
  /** @template Result @param {number[]} times @param {Array<() => Promise<Result>>} acts */
  const atOnce = async (times, acts) => {
    const start = performance.now();
    const results = await Promise.all(acts.map((act) => act()));
    times.push((performance.now() - start) / readers);
    return results;
  };

  const turns = Math.ceil((seconds * 1000) / slice);
  for (let turn = 0; turn < turns; turn++) {
    await read(alone);
    const crowd = await atOnce(
      others.latencies.acquire,
      Array.from({ length: readers }, () => join),
    );
    await read(beside);
    await atOnce(
      others.latencies.release,
      crowd.map((held) => () => held.release()),
    );
    others.count += readers;
  }
  return [alone, beside, others].map((tally) => tally.report());
}

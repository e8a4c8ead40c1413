import { setTimeout as sleep } from 'node:timers/promises';
import { namesFor } from './lock-names.js';
import { Tally } from './tally.js';

/** How long a caller pauses after an error, in ms. */
export const AFTER_ERROR = 20;

/**
 * @typedef {object} CycleOptions
 * @property {number} callers
 * @property {number} seconds
 * @property {import('./lock-names.js').LockNames} names
 */

/**
 * Lets callers take and release locks, each as fast as it can.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {CycleOptions} options
 * @param {number} member - which of the processes this is: each has names of its own
 */
export async function run([system], options, member) {
  const tally = new Tally();
  const names = { ...options.names, prefix: `${options.names.prefix}${member}:` };
  await spin(tally, cycleOf(system, tally), { ...options, names });
  return tally.report();
}

/**
 * One cycle of a system, whose latency is noted.
 *
 * @param {import('../systems.js').System} system
 * @param {Tally} tally
 * @returns {(lockName: string) => Promise<void>}
 */
export function cycleOf({ tryAcquire, cycle, size = 1 }, tally) {
  if (cycle) return timed(cycle, size, tally);
  if (!tryAcquire) throw new Error('This system does not try for locks.');
  const { whole, acquire, release } = tally.latencies;
  return async (lockName) => {
    const asked = performance.now();
    const held = await tryAcquire(lockName);
    const granted = performance.now();
    if (!held) throw new Error(`${lockName} is busy, though nobody else wants it.`);
    await held.release();
    const released = performance.now();
    acquire.push(granted - asked);
    release.push(released - granted);
    whole.push(released - asked);
    tally.count++;
  };
}

/**
 * @param {(lockName: string) => Promise<unknown>} cycle
 * @param {number} size - how many locks it takes
 * @param {Tally} tally
 */
export function timed(cycle, size, tally) {
  return async (/** @type {string} */ lockName) => {
    const start = performance.now();
    await cycle(lockName);
    tally.latencies.whole.push(performance.now() - start);
    tally.count += size;
  };
}

/**
 * Repeats something with many callers for some time, and counts it.
 *
 * @param {Tally} tally
 * @param {(lockName: string) => Promise<void>} cycle
 * @param {CycleOptions} options
 */
export async function spin(tally, cycle, { callers, seconds, names }) {
  const nextNames = Array.from({ length: callers }, (_, caller) => namesFor(names, caller, callers));
  await tally.during(async () => {
    const end = performance.now() + seconds * 1000;
    const call = async (/** @type {() => string} */ nextName) => {
      while (performance.now() < end) {
        try {
          await cycle(nextName());
        } catch (error) {
          tally.fail(error);
          await sleep(AFTER_ERROR);
        }
      }
    };
    await Promise.all(nextNames.map(call));
  });
}

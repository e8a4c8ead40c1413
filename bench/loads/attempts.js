import { setTimeout as sleep } from 'node:timers/promises';
import { AFTER_ERROR } from './cycles.js';
import { namesFor } from './lock-names.js';
import { Tally } from './tally.js';

/**
 * Lets callers try for locks, most of which are held, each as fast as it can.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {object} options
 * @param {number} options.callers
 * @param {number} options.seconds
 * @param {number} options.refused - part of the attempts that ask for a lock which is held, 0 to 1
 * @param {string[]} options.held - those locks
 * @param {import('./lock-names.js').LockNames} options.free - the others
 */
export async function run([{ tryAcquire }], { callers, seconds, refused, held, free }) {
  if (!tryAcquire) throw new Error('This system does not try for locks.');
  const tally = new Tally();

  const ask = async (/** @type {string} */ lockName, /** @type {boolean} */ isHeld) => {
    const start = performance.now();
    const lock = await tryAcquire(lockName);
    if (isHeld && lock) throw new Error('A lock that is held was granted.');
    if (!isHeld && !lock) throw new Error(`${lockName} is busy, though nobody else wants it.`);
    await lock?.release();
    tally.latencies.whole.push(performance.now() - start);
    tally.count++;
    if (isHeld) tally.refused++;
  };

  await tally.during(async () => {
    const end = performance.now() + seconds * 1000;
    const call = async (/** @type {number} */ caller) => {
      const nextFree = namesFor(free, caller, callers);
      while (performance.now() < end) {
        const isHeld = Math.random() < refused;
        try {
          await ask(isHeld ? held[Math.floor(Math.random() * held.length)] : nextFree(), isHeld);
        } catch (error) {
          tally.fail(error);
          await sleep(AFTER_ERROR);
        }
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  });
  return tally.report();
}

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One request for the lock, and what became of it. Times are in ms since the schedule's origin; those that have not come
 * are missing.
 *
 * @typedef {object} Attempt
 * @property {number} waiter
 * @property {number} asked
 * @property {number} [granted] - when the waiter knew
 * @property {number} [releasing] - when the waiter was done and called release
 * @property {number} [released] - when the release was answered
 */

/** @typedef {{ attempts: Attempt[], errors: string[] }} WaitingReport */

/**
 * @typedef {object} WaitingOptions
 * @property {string} lockName
 * @property {number[]} waiters - a process
 * @property {number} hold - ms that each holds the lock; 0 for no time at all
 * @property {bigint} origin - on the clock of process.hrtime, which all processes of a machine share
 * @property {number} end - in ms since then
 */

/** How long a waiter pauses after an error, in ms. */
const AFTER_ERROR = 100;

/** A timer may be early: what happens before the end must be known. In ms. */
const MARGIN = 5;

/**
 * Lets each waiter take and release the lock again and again.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {WaitingOptions} options
 * @param {number} member - which of the processes this is
 * @returns {Promise<WaitingReport>} as it is at the end, when some still wait
 */
export async function run([system], { lockName, waiters, hold, origin, end }, member) {
  const now = () => Number(process.hrtime.bigint() - origin) / 1e6;
  /** @type {Set<Attempt>} */
  const attempts = new Set();
  /** @type {string[]} */
  const errors = [];

  const acquire = async (/** @type {Attempt} */ attempt) => {
    if (!system.acquire) throw new Error('This system does not wait for locks.');
    try {
      return await system.acquire(lockName);
    } catch (error) {
      attempts.delete(attempt); // It does not wait any longer.
      throw error;
    }
  };

  const takeTurn = async (/** @type {Attempt} */ attempt) => {
    attempts.add(attempt);
    const lock = await acquire(attempt);
    attempt.granted = now();
    if (hold > 0) await sleep(hold);
    attempt.releasing = now();
    await lock.release();
    attempt.released = now();
  };

  const wait = async (/** @type {number} */ waiter) => {
    while (now() < end) {
      try {
        await takeTurn({ waiter, asked: now() });
      } catch (error) {
        errors.push(String(error));
        await sleep(AFTER_ERROR);
      }
    }
  };

  for (let waiter = 0; waiter < waiters[member]; waiter++) void wait(waiter);
  await sleep(end - now() + MARGIN);
  return { attempts: [...attempts], errors };
}

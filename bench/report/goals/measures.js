import { spreadOf } from '../statistics.js';
import { figuresOf, ratiosOf, roundsOf } from '../summary.js';

/** @typedef {import('../goals.js').Goal} Goal */

/**
 * The ratio of ours to that of another; of several, to the fastest, by `speed`.
 *
 * @param {object} of
 * @param {import('../../contest/rounds.js').Condition} of.condition
 * @param {string} of.ours
 * @param {string | readonly string[]} of.theirs
 * @param {string} [of.figure]
 * @param {string} [of.speed]
 * @returns {Goal['measure']}
 */
export const ratio =
  ({ condition, ours, theirs, figure = 'perSecond', speed = 'perSecond' }) =>
  (measurements) => {
    const [fastest] = [theirs]
      .flat()
      .map((system) => roundsOf(measurements, system, condition))
      .filter((rounds) => rounds.length > 0)
      .toSorted((one, other) => speedOf(other, speed) - speedOf(one, speed));
    return fastest ? ratiosOf(roundsOf(measurements, ours, condition), fastest, figure) : [];
  };

/** What is not counted by the second is the slowest. @param {import('../summary.js').Measurement[]} rounds @param {string} speed */
const speedOf = (rounds, speed) => spreadOf(figuresOf(rounds, speed)).median || 0;

/** @param {string} ours @param {import('../../contest/rounds.js').Condition} condition @param {string} figure @returns {Goal['measure']} */
export function own(ours, condition, figure) {
  return (measurements) => figuresOf(roundsOf(measurements, ours, condition), figure);
}

/**
 * By how much ours is more than that of another in the same round.
 *
 * @param {object} of
 * @param {import('../../contest/rounds.js').Condition} of.condition
 * @param {string} of.ours
 * @param {string} of.theirs
 * @param {string} of.figure
 * @returns {Goal['measure']}
 */
export const difference =
  ({ condition, ours, theirs, figure }) =>
  (measurements) => {
    const [mine, other] = [ours, theirs].map((system) =>
      figuresOf(roundsOf(measurements, system, condition), figure),
    );
    return mine.map((number, round) => number - (other[round] ?? NaN));
  };

/** What must not happen in any round. @param {Goal['measure']} measure @returns {Goal['measure']} */
export function worst(measure) {
  return (measurements) => {
    const numbers = measure(measurements);
    return numbers.length === 0 ? [] : [Math.max(...numbers)];
  };
}

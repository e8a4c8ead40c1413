import { medianOf } from '../statistics.js';

/** @typedef {import('./measurement.js').Measurement} Measurement */

/**
 * One row for each system: the medians of its rounds, but the sums of what should not have happened at all.
 *
 * @param {Measurement[]} measurements - with the same numbers of waiters and processes
 * @returns {Measurement[]}
 */
export function summarise(measurements) {
  const systems = new Set(measurements.map(({ system }) => system));
  return [...systems].map((system) => summaryOf(measurements.filter((one) => one.system === system)));
}

/** @param {Measurement[]} rounds */
function summaryOf(rounds) {
  const numbers = (/** @type {string} */ figure) =>
    rounds.map((round) => Number(round[/** @type {keyof Measurement} */ (figure)]));
  const sum = (/** @type {number[]} */ values) => values.reduce((total, value) => total + value, 0);
  const summary = Object.fromEntries(
    Object.entries(rounds[0]).map(([figure, value]) => [
      figure,
      typeof value === 'number' ? medianOf(numbers(figure)) : value,
    ]),
  );
  return /** @type {Measurement} */ ({
    ...summary,
    overlaps: sum(numbers('overlaps')),
    errors: sum(numbers('errors')),
  });
}

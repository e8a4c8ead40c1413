import { medianOf } from './statistics.js';

/**
 * The medians of one system with one number of callers.
 *
 * @typedef {import('./measurement.js').Measurement & { ratio: number }} Summary - `ratio` to the reference
 */

/**
 * @param {import('./measurement.js').Measurement[]} measurements
 * @param {string} reference - the system that the others are compared with
 * @returns {Summary[]}
 */
export function summarise(measurements, reference) {
  const of = (/** @type {string} */ system, /** @type {number} */ callers) =>
    measurements.filter((one) => one.system === system && one.callers === callers);
  const systems = new Set(measurements.map(({ system }) => system));
  const callerCounts = new Set(measurements.map(({ callers }) => callers));

  return [...callerCounts].flatMap((callers) =>
    [...systems].map((system) => {
      const ours = of(system, callers);
      const theirs = of(reference, callers);
      const median = (/** @type {keyof import('./measurement.js').Measurement} */ what) =>
        medianOf(ours.map((one) => Number(one[what])));
      return {
        system,
        callers,
        cyclesPerSecond: median('cyclesPerSecond'),
        ratio: medianOf(ours.map((one, round) => one.cyclesPerSecond / theirs[round].cyclesPerSecond)),
        p50: median('p50'),
        p99: median('p99'),
        nodeCpu: median('nodeCpu'),
        databaseCpu: ours.some(({ databaseCpu }) => databaseCpu === undefined)
          ? undefined
          : median('databaseCpu'),
      };
    }),
  );
}

import { Contender, withAll } from './contender.js';
import { sectionsOf } from '../report/sections.js';
import { inRounds } from './rounds.js';

/**
 * @typedef {object} Race
 * @property {import('./contender.js').Entry[]} entries
 * @property {import('./rounds.js').Condition[]} conditions
 * @property {(contender: Contender, condition: import('./rounds.js').Condition, seconds: number) => Promise<import('./rounds.js').Finding[]>} measure
 * @property {(contenders: Contender[]) => import('./contender.js').Description[]} [systems] - what is measured, when it is
 *   not one system a contender
 * @property {import('../report/columns.js').Column[]} columns
 * @property {(key: string) => string} referenceOf - the key of the system to compare one with
 * @property {boolean} [anew] - start the processes for each measurement, which then warms up by itself
 */

/**
 * A scenario in which all do the same, under some conditions.
 *
 * @param {import('./stage.js').Stage} stage
 * @param {Race} race
 * @returns {Promise<import('./stage.js').Outcome>}
 */
export async function race(
  stage,
  { entries, conditions, measure, systems, columns, referenceOf, anew = false },
) {
  const contenders = await Contender.choose(stage, entries);
  const measurements = await withAll(anew ? [] : contenders, () =>
    inRounds(stage, contenders, conditions, measure, { warmUp: !anew }),
  );
  const described = systems?.(contenders) ?? contenders.flatMap(({ descriptions }) => descriptions);
  return {
    systems: described,
    measurements,
    sections: sectionsOf(measurements, conditions, { systems: described, columns, referenceOf }),
  };
}

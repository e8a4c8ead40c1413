import { told } from '../contest/rounds.js';
import { rowsOf } from './summary.js';

/**
 * A table for each condition.
 *
 * @param {import('./summary.js').Measurement[]} measurements
 * @param {import('../contest/rounds.js').Condition[]} conditions
 * @param {object} what
 * @param {import('../contest/contender.js').Description[]} what.systems
 * @param {import('./columns.js').Column[]} what.columns
 * @param {(key: string) => string} what.referenceOf - the key of the system to compare one with
 * @returns {import('../contest/stage.js').Section[]}
 */
export const sectionsOf = (measurements, conditions, { systems, columns, referenceOf }) =>
  conditions.map((condition) => ({
    title: told(condition),
    columns,
    rows: rowsOf(measurements, condition, systems, referenceOf),
  }));

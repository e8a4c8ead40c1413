import { spreadOf, sumOf } from './statistics.js';

/** @typedef {import('../contest/rounds.js').Measurement} Measurement */
/** @typedef {import('./statistics.js').Spread} Spread */

/**
 * What the rounds say of one system under one condition.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {number} errors
 * @property {(figure: string) => Spread} figure
 * @property {(figure: string) => Spread} ratio - of the figure to that of the reference in the same round
 */

/**
 * @param {Measurement[]} measurements
 * @param {import('../contest/rounds.js').Condition} condition
 * @param {import('../contest/contender.js').Description[]} systems
 * @param {(key: string) => string} referenceOf - the key of the system to compare one with
 * @returns {Row[]} those that were measured
 */
export function rowsOf(measurements, condition, systems, referenceOf) {
  return systems.flatMap(({ key, name }) => {
    const ours = roundsOf(measurements, key, condition);
    if (ours.length === 0) return [];
    const reference = roundsOf(measurements, referenceOf(key), condition);
    return [
      {
        name,
        errors: sumOf(ours.map(({ errorCount }) => errorCount)),
        figure: (figure) => spreadOf(figuresOf(ours, figure)),
        ratio: (figure) => spreadOf(ratiosOf(ours, reference, figure)),
      },
    ];
  });
}

/** A row of one measurement. @param {string} name @param {Record<string, number>} figures @returns {Row} */
export const rowOf = (name, figures) => ({
  name,
  errors: 0,
  figure: (figure) => spreadOf([figures[figure] ?? NaN]),
  ratio: () => spreadOf([]),
});

/**
 * @param {Measurement[]} measurements
 * @param {string} key
 * @param {import('../contest/rounds.js').Condition} condition - what must be so; there may be more to it
 * @returns {Measurement[]} of a system, in the order of the rounds
 */
export function roundsOf(measurements, key, condition) {
  return measurements
    .filter(({ system }) => system === key)
    .filter((one) => Object.entries(condition).every(([name, value]) => one.condition[name] === value))
    .toSorted((one, other) => one.round - other.round);
}

/** @param {Measurement[]} rounds @param {string} figure @returns {number[]} */
export const figuresOf = (rounds, figure) => rounds.map(({ figures }) => figures[figure] ?? NaN);

/**
 * @param {Measurement[]} ours
 * @param {Measurement[]} theirs - none when there is nothing to compare with
 * @param {string} figure
 * @param {string} [theirFigure] - when it has another name there
 * @returns {number[]} one a round
 */
export function ratiosOf(ours, theirs, figure, theirFigure = figure) {
  const reference = figuresOf(theirs, theirFigure);
  return figuresOf(ours, figure).map((number, round) => number / (reference[round] ?? NaN));
}

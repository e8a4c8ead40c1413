/**
 * What one measurement of one system has found.
 *
 * @typedef {object} Measurement
 * @property {string} system - its key
 * @property {Condition} condition
 * @property {number} round - from 0
 * @property {Record<string, number>} figures - NaN where unknown
 * @property {string[]} errors - the first few
 * @property {number} errorCount
 * @property {boolean} failed - it did not come to its end
 */

/** Under which something is measured: numbers of callers, for instance. @typedef {Record<string, number>} Condition */

/** @typedef {{ system: string, figures: Record<string, number>, errors: string[] }} Finding */

/** @typedef {import('./contender.js').Contender} Contender */

/** How many errors of a measurement are kept. */
const ERRORS_KEPT = 3;

/**
 * Measures each contender under each condition in each round, in another order each round, so that none always comes
 * first. One that fails is left out from then on.
 *
 * @param {import('./stage.js').Stage} stage
 * @param {Contender[]} contenders
 * @param {Condition[]} conditions
 * @param {(contender: Contender, condition: Condition, seconds: number) => Promise<Finding[]>} measure
 * @param {{ warmUp: boolean }} options - whether to do all of it before, for a shorter time
 * @returns {Promise<Measurement[]>}
 */
export async function inRounds({ options, say }, contenders, conditions, measure, { warmUp }) {
  /** @type {Measurement[]} */
  const measurements = [];
  /** @type {Set<Contender>} */
  const fallen = new Set();

  const tryToMeasure = async (
    /** @type {Contender} */ contender,
    /** @type {Condition} */ condition,
    /** @type {number} */ seconds,
    /** @type {number} */ round,
  ) => {
    if (fallen.has(contender)) return [];
    try {
      const findings = await measure(contender, condition, seconds);
      return findings.map((finding) => measurementOf(finding, condition, round));
    } catch (error) {
      fallen.add(contender);
      say(`${contender.key} is left out from here on: ${String(error)}`);
      const finding = { system: contender.key, figures: {}, errors: [String(error)] };
      return [{ ...measurementOf(finding, condition, round), failed: true }];
    }
  };

  for (const contender of warmUp ? contenders : []) {
    for (const condition of conditions) {
      const warmedUp = await tryToMeasure(contender, condition, options.warmUp, 0);
      measurements.push(...warmedUp.filter(({ failed }) => failed));
    }
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const condition of conditions) {
      say(`round ${round + 1} of ${options.rounds}, ${told(condition)}`);
      for (const contender of rotated(contenders, round)) {
        const found = await tryToMeasure(contender, condition, options.seconds, round);
        for (const { system, errors, errorCount } of found)
          if (errorCount > 0) say(`${system}: ${errorCount} errors: ${errors[0]}`);
        measurements.push(...found);
      }
    }
  }
  return measurements;
}

/** @param {Condition} condition */
export const told = (condition) =>
  Object.entries(condition)
    .map(([name, number]) => `${number.toLocaleString('en')} ${number === 1 ? name.replace(/s$/, '') : name}`)
    .join(', ');

/** @param {Finding} finding @param {Condition} condition @param {number} round @returns {Measurement} */
export function measurementOf({ system, figures, errors }, condition, round) {
  const [errorCount, kept] = [errors.length, errors.slice(0, ERRORS_KEPT)];
  return { system, condition, round, figures, errors: kept, errorCount, failed: false };
}

/** @template Item @param {Item[]} items @param {number} round */
function rotated(items, round) {
  const first = round % (items.length || 1);
  return [...items.slice(first), ...items.slice(0, first)];
}

import { rounded, spreadText } from '../report/columns.js';
import { figuresOf, ratiosOf, roundsOf } from '../report/summary.js';
import { spreadOf } from '../report/statistics.js';

/** The keys of the two that are compared. */
export const EARLIER = 'earlier';
export const NOW = 'now';

/** From here on it is worth to look for the reason; below, it is noise. */
const MOST = 1.05;

/**
 * What is compared. More is worse, but for a rate.
 *
 * @typedef {object} Measure
 * @property {string} what
 * @property {string} figure
 * @property {number} digits
 * @property {boolean} [isRate]
 */

/** @type {Measure[]} */
const MEASURES = [
  { what: 'cycles/s', figure: 'perSecond', digits: 0, isRate: true },
  { what: 'node, µs of CPU a cycle', figure: 'nodeCpu', digits: 1 },
  { what: 'database, µs of CPU a cycle', figure: 'serverCpu', digits: 1 },
];

/**
 * @typedef {object} Verdict
 * @property {string} what
 * @property {string} earlier - the median
 * @property {string} now - likewise
 * @property {import('../report/statistics.js').Spread} ratio - of the rounds, now to earlier; NaN where it can't be seen
 * @property {boolean} isWorse - by more than noise
 */

/**
 * @param {import('../contest/rounds.js').Measurement[]} measurements
 * @param {import('../contest/rounds.js').Condition} condition
 * @returns {Verdict[]}
 */
export function verdictsOf(measurements, condition) {
  const [earlier, now] = [EARLIER, NOW].map((key) => roundsOf(measurements, key, condition));
  return MEASURES.map(({ what, figure, digits, isRate }) => {
    const median = (/** @type {typeof now} */ rounds) =>
      rounded(spreadOf(figuresOf(rounds, figure)).median, digits);
    const ratio = spreadOf(ratiosOf(now, earlier, figure));
    const cost = isRate ? 1 / ratio.median : ratio.median;
    return { what, earlier: median(earlier), now: median(now), ratio, isWorse: cost > MOST };
  });
}

/** @param {string} revision @returns {Array<[heading: string, cell: (verdict: Verdict) => string]>} */
export const verdictColumns = (revision) => [
  ['median of the rounds', ({ what }) => what],
  [revision, ({ earlier }) => earlier],
  ['working tree', ({ now }) => now],
  ['ratio', ({ ratio }) => spreadText(ratio, 2)],
  ['verdict', ({ isWorse }) => (isWorse ? `worse by more than ${MOST}` : 'no worse')],
];

/** @param {number} digits */
const rounded = (digits) => (/** @type {number} */ number) =>
  Number.isFinite(number) ? number.toFixed(digits) : '-';

const whole = rounded(0);
const precise = rounded(2);

/**
 * @param {Map<string, string>} names - of the systems
 * @returns {Array<[heading: string, cell: (row: import('./summary.js').Measurement) => string]>}
 */
export const columnsWith = (names) => [
  ['system', ({ system }) => names.get(system) ?? system],
  ['grants/s', ({ grantsPerSecond }) => whole(grantsPerSecond)],
  ['hand-off p50 ms', ({ handOffP50 }) => precise(handOffP50)],
  ['p99', ({ handOffP99 }) => precise(handOffP99)],
  ['from the call p50', ({ fromCallP50 }) => precise(fromCallP50)],
  ['re-taken %', ({ retaken }) => whole(retaken * 100)],
  ['inversions within', ({ inversionsWithin }) => whole(inversionsWithin)],
  ['between', ({ inversionsBetween }) => whole(inversionsBetween)],
  ['fairness', ({ fairness }) => precise(fairness)],
  ['starved', ({ starved }) => whole(starved)],
  ['longest wait ms', ({ longestWait }) => whole(longestWait)],
  ['connections', ({ connections }) => whole(connections)],
  ['overlaps', ({ overlaps }) => whole(overlaps)],
  ['errors', ({ errors }) => whole(errors)],
];

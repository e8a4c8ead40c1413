/** @typedef {import('./summary.js').Row} Row */
/** @typedef {import('./statistics.js').Spread} Spread */
/** @typedef {[heading: string, cell: (row: Row) => string]} Column */

/** @type {Column} */
export const SYSTEM = ['system', ({ name }) => name];

/** The median of the rounds, and from where to where they reach. @param {string} heading @param {string} figure @param {number} [digits] @returns {Column} */
export const spread = (heading, figure, digits = 0) => [
  heading,
  (row) => spreadText(row.figure(figure), digits),
];

/** The median of the rounds. @param {string} heading @param {string} figure @param {number} [digits] @param {number} [times] @returns {Column} */
export const median = (heading, figure, digits = 0, times = 1) => [
  heading,
  (row) => rounded(row.figure(figure).median * times, digits),
];

/** The median of the rounds' ratios to the reference, and their range. @param {string} heading @param {string} figure @returns {Column} */
export const ratio = (heading, figure) => [heading, (row) => spreadText(row.ratio(figure), 2)];

/** @param {Spread} spread @param {number} digits */
export function spreadText({ median, least, most }, digits) {
  const [middle, low, high] = [median, least, most].map((number) => rounded(number, digits));
  return low === high ? middle : `${middle} (${low}–${high})`;
}

/** @param {number} number @param {number} digits */
export function rounded(number, digits) {
  if (!Number.isFinite(number)) return '-';
  return number.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Of a scenario that counts cycles. @param {string} [rate] @returns {Column[]} */
export const cycleColumns = (rate = 'cycles/s') => [
  SYSTEM,
  spread(rate, 'perSecond'),
  ratio('ratio', 'perSecond'),
  median('p50 ms', 'p50', 2),
  median('p99 ms', 'p99', 2),
];

/** @type {Column[]} */
export const CPU_COLUMNS = [median('µs CPU node', 'nodeCpu'), median('servers', 'serverCpu')];

/** @param {number[]} numbers @returns {number} NaN when there are none */
export function medianOf(numbers) {
  const inOrder = numbers.toSorted((one, other) => one - other);
  const middle = (inOrder.length - 1) / 2;
  return (inOrder[Math.floor(middle)] + inOrder[Math.ceil(middle)]) / 2;
}

/**
 * @param {number[]} numbers
 * @returns {(part: number) => number} takes 0.5 for the median; NaN when there are no numbers
 */
export function quantilesOf(numbers) {
  const inOrder = Float64Array.from(numbers).toSorted();
  return (part) => inOrder[Math.floor(part * (inOrder.length - 1))] ?? NaN;
}

/** @param {number[]} numbers */
export const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

/**
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} least
 * @property {number} most
 */

/** @param {number[]} numbers - those of the rounds @returns {Spread} all NaN when there are none */
export function spreadOf(numbers) {
  const known = numbers.filter((number) => !Number.isNaN(number));
  if (known.length === 0) return { median: NaN, least: NaN, most: NaN };
  return { median: medianOf(known), least: Math.min(...known), most: Math.max(...known) };
}

/** @param {number[]} numbers */
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

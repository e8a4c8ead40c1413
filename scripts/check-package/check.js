/**
 * Does the work of one check and prints its line.
 * @template Result
 * @param {string} title a sentence about the package
 * @param {() => Promise<Result>} work throws when the sentence isn't true
 * @returns {Promise<Result>}
 */
export async function check(title, work) {
  const start = performance.now();
  const line = (/** @type {string} */ mark) =>
    console.log(`${mark} ${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  try {
    const result = await work();
    line('✓');
    return result;
  } catch (error) {
    line('✗');
    throw error;
  }
}

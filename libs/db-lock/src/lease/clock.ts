/** The longest delay that a Node.js timer takes, in milliseconds; a longer one would fire at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/** This process's monotonic clock, in milliseconds. Setting the wall clock does not move it. */
export const monotonicNow = (): number => performance.now();

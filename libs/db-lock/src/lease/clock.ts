import { sharedValue } from './copies.js';

/** The longest delay that a Node.js timer takes, in milliseconds; a longer one would fire at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/** How far tests have moved the clock, in milliseconds. */
const moved = sharedValue('clock', () => ({ by: 0 }));

/** This process's monotonic clock, in milliseconds. Setting the wall clock does not move it. */
export const monotonicNow = (): number => performance.now() + moved.by;

/** For tests: moves the clock forward by so many milliseconds. See `letPass`, which rings the timers, too. */
export function moveClock(milliseconds: number): void {
  moved.by += milliseconds;
}

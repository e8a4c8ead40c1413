/** Clocks of machines go apart by less than so many parts of the time that passes. */
const DRIFT = 1e-4;

/**
 * The store's clock as this process knows it by the answers it got. Each answer was made before it was received, so it says
 * that the store's clock is at least so far ahead of our monotonic one; the soonest received says it best. What is timed by it
 * keeps its order, and is never later than it was.
 */
export class StoreClock {
  #ahead = -Infinity;
  #observed = 0;

  /**
   * @param time the store's clock in an answer
   * @param at when the answer was there, on our monotonic clock, in milliseconds
   */
  observe(time: Date, at: number): void {
    const ahead = time.getTime() - at;
    if (ahead < this.#ahead - (at - this.#observed) * DRIFT) return;
    this.#ahead = ahead;
    this.#observed = at;
  }

  /** Milliseconds since 1970; null before the first answer. */
  timeOf(at: number): number | null {
    return this.#ahead === -Infinity ? null : at + this.#ahead;
  }
}

import { monotonicNow } from '../lease/clock.js';

/**
 * Redis's clock, as the last answer told it: in a Cluster, that of one node. Where the nodes' clocks differ, entries may
 * end too soon on some of them.
 */
export class RedisClock {
  #ahead = -Infinity;

  /** @param now Redis's clock in an answer that has just arrived, in milliseconds */
  learn(now: number): void {
    this.#ahead = now - monotonicNow();
  }

  /**
   * What Redis's clock shows at a moment of this process's monotonic clock, or a little less, because the answer was
   * on its way for a while; 0, which is long past, while nothing is known.
   */
  at(moment: number): number {
    return Math.max(0, Math.floor(moment + this.#ahead));
  }
}

/** Milliseconds after which it is counted anew. */
const WINDOW = 1_000;

/**
 * Picks about so many a second of whatever comes, evenly: every one where not more come, else every second, every third, …. To record
 * a duration costs more than to take a lock that is free in a process's memory.
 */
export class Sampler {
  /** Every how many-th one is picked. */
  #stride = 1;
  #seen = 0;
  /** Where more are seen within a window, more come than was expected. */
  #most = 0;
  #since = -Infinity;

  /** @param perSecond Infinity picks all */
  constructor(private readonly perSecond: number) {}

  /** @param now on the monotonic clock */
  picks(now: number): boolean {
    if (this.#seen >= this.#most || now - this.#since >= WINDOW) this.#look(now);
    return this.#seen++ % this.#stride === 0;
  }

  /** As many come in the next second as in the last, unless there was a pause; in a burst, more and more. */
  #look(now: number): void {
    const age = now - this.#since;
    if (age < WINDOW) {
      this.#expect(2 * this.#seen);
      return;
    }
    this.#stride = 1;
    this.#expect(age < 2 * WINDOW ? (this.#seen * WINDOW) / age : 0);
    this.#seen = 0;
    this.#since = now;
  }

  /** @param coming in a second */
  #expect(coming: number): void {
    this.#stride = Math.max(this.#stride, Math.ceil(coming / this.perSecond));
    this.#most = Math.max(this.perSecond, 2 * coming);
  }
}

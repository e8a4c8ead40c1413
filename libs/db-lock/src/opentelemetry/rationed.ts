import { monotonicNow } from '../lease/clock.js';

/** Who asks rests so many times as long as the answer took: asking takes at most a fiftieth of the time, however often somebody wants to know. */
const REST = 50;

/** A number that costs something to find out, and may be a little old. */
export class Rationed {
  #known = NaN;
  #restsUntil = -Infinity;

  /** @param ask rejects where nobody knows: then the next one asks again */
  async number(ask: () => Promise<number>): Promise<number> {
    const began = monotonicNow();
    if (began < this.#restsUntil) return this.#known;
    this.#known = await ask();
    const now = monotonicNow();
    this.#restsUntil = now + REST * (now - began);
    return this.#known;
  }
}

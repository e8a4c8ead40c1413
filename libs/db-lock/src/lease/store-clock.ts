import { ROUNDING_MARGIN, SPEED_MARGIN } from './deadline.js';

/** Clocks of machines usually go apart by less than so many parts of the time that passes. */
const DRIFT = 1e-4;

/** By how much the store's clock is ahead of our monotonic one: two bounds, of a moment of ours or later. All in milliseconds. */
interface Offset {
  least: number;
  most: number;
  at: number;
}

/**
 * The store's clock as this process knows it by the answers it got. Each answer tells a time between the moments at which it was asked
 * for and was there, on our monotonic clock: that bounds how far ahead the store's clock is, and the bounds of one answer narrow those
 * of the others. Where they contradict each other by more than the margin of a lease allows for, one of the two clocks has jumped.
 */
export class StoreClock {
  /** What is likely, by which moments are told. */
  #likely?: Offset;
  /** What is certain unless the clock has jumped. */
  #certain?: Offset;
  #jumped = -Infinity;

  /**
   * @param time the store's clock in an answer
   * @param sentAt when it was asked for it, on our monotonic clock, in milliseconds
   * @param receivedAt when the answer was there
   * @returns by at least how many milliseconds the store's clock jumped, to an earlier time when negative; 0 when it went on, at a speed
   * that the margin of a lease allows for
   */
  observe(time: Date, sentAt: number, receivedAt: number): number {
    if (sentAt < this.#jumped) return 0; // It may be from before the jump.
    // Times are whole milliseconds, rounded down.
    const said: Offset = {
      least: time.getTime() - receivedAt,
      most: time.getTime() + 1 - sentAt,
      at: sentAt,
    };
    const certain = widened(this.#certain ?? said, receivedAt, SPEED_MARGIN);
    const likely = widened(this.#likely ?? said, receivedAt, DRIFT);
    const jump = contradiction(certain, said);
    if (Math.abs(jump) > ROUNDING_MARGIN) {
      this.#certain = this.#likely = said;
      this.#jumped = receivedAt;
      return jump;
    }
    if (jump === 0) this.#certain = whatBothSay(certain, said);
    this.#likely = contradiction(likely, said) === 0 ? whatBothSay(likely, said) : said;
    return 0;
  }

  /**
   * Milliseconds since 1970; null before the first answer. What is timed by it keeps its order while the store's clock goes on, and is
   * never later than it was.
   */
  timeOf(at: number): number | null {
    return this.#likely ? at + this.#likely.least : null;
  }
}

/** What it may have become. */
function widened({ least, most, at }: Offset, now: number, drift: number): Offset {
  const apart = (now - at) * drift;
  return { least: least - apart, most: most + apart, at: now };
}

/** By how much one must have grown to be the other; 0 where both may be true. */
function contradiction(before: Offset, after: Offset): number {
  if (after.least > before.most) return after.least - before.most;
  return Math.min(0, after.most - before.least);
}

const whatBothSay = (one: Offset, other: Offset): Offset => ({
  least: Math.max(one.least, other.least),
  most: Math.min(one.most, other.most),
  at: other.at,
});

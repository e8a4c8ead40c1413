/** The longest delay that a Node.js timer takes, in milliseconds; a longer one would fire at once. */
const MAX_TIMER = 2 ** 31 - 1;

/** This process's monotonic clock, in milliseconds. Setting the wall clock does not move it. */
export const monotonicNow = (): number => performance.now();

/**
 * How much earlier than the store a holder must stop trusting a lease of so many milliseconds: 1 % for clocks that run
 * at different speeds, and 2 ms for rounding and timers (the allowance that Redlock makes).
 */
export function safetyMargin(milliseconds: number): number {
  return milliseconds * 0.01 + 2;
}

/**
 * Until when a lease may be trusted, on this process's monotonic clock: from the moment the confirmed request was
 * sent, because the store's answer may have been on its way for any part of the time since.
 */
export function trustedUntil(sentAt: number, timeLeft: number): number {
  return sentAt + timeLeft - safetyMargin(timeLeft);
}

/** Calls back once when a moment on the monotonic clock has passed, unless it is moved or cleared before. */
export class Deadline {
  #timer?: NodeJS.Timeout;
  #at = -Infinity;

  constructor(private readonly onPassed: () => void) {}

  /** Milliseconds left; 0 when it has passed. */
  get timeLeft(): number {
    return Math.max(0, this.#at - monotonicNow());
  }

  moveTo(at: number): void {
    this.#at = at;
    clearTimeout(this.#timer);
    this.#arm();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Timers may fire late, and a long one is split: what counts is the clock. */
  #arm(): void {
    this.#timer = setTimeout(
      () => (this.timeLeft === 0 ? this.onPassed() : this.#arm()),
      Math.min(Math.ceil(this.timeLeft), MAX_TIMER),
    );
    this.#timer.unref();
  }
}

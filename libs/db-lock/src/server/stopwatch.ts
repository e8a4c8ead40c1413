import { monotonicNow } from '../lease/clock.js';

/** How long something has lasted that may not have begun, in milliseconds. */
export class Stopwatch {
  #started?: number;

  start(): void {
    this.#started ??= monotonicNow();
  }

  /** 0 where it has not begun. */
  get elapsed(): number {
    return this.#started === undefined ? 0 : monotonicNow() - this.#started;
  }
}

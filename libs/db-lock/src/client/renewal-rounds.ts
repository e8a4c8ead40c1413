import { monotonicNow } from '../lease/deadline.js';

/** The longest delay that a Node.js timer takes, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;

interface Round {
  due: Set<() => void>;
  timer: NodeJS.Timeout;
}

/** Lets those renew at the same moment who are due at about the same time, so that one statement can renew them all. */
export class RenewalRounds {
  readonly #rounds = new Map<number, Round>();

  /**
   * Calls back once, at a moment on the monotonic clock or sooner by up to `slack` milliseconds, with the others of that
   * round.
   * @returns takes it back
   */
  join(at: number, slack: number, renew: () => void): () => void {
    const time = roundBefore(at, slack);
    const round = this.#rounds.get(time) ?? this.#open(time);
    round.due.add(renew);
    return () => {
      if (!round.due.delete(renew) || round.due.size > 0) return;
      clearTimeout(round.timer);
      this.#rounds.delete(time);
    };
  }

  #open(time: number): Round {
    const round: Round = { due: new Set(), timer: this.#timerFor(time) };
    this.#rounds.set(time, round);
    return round;
  }

  #timerFor(time: number): NodeJS.Timeout {
    const pause = Math.max(0, Math.ceil(time - monotonicNow()));
    return setTimeout(() => this.#reach(time), Math.min(pause, MAX_TIMER)).unref();
  }

  /** Timers may fire early, and a long one is split: what counts is the clock. */
  #reach(time: number): void {
    const round = this.#rounds.get(time)!;
    if (monotonicNow() < time) {
      round.timer = this.#timerFor(time);
      return;
    }
    this.#rounds.delete(time);
    for (const renew of round.due) renew();
  }
}

/** The last round before a moment: they are a power of two apart, so that rounds of different TTLs meet. */
function roundBefore(at: number, slack: number): number {
  const distance = 2 ** Math.floor(Math.log2(Math.max(slack, 1)));
  return Math.floor(at / distance) * distance;
}

import { monotonicNow } from '../lease/deadline.js';

/** The longest delay that a Node.js timer takes, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;

interface Round {
  /** On the monotonic clock, in milliseconds. */
  readonly time: number;
  readonly due: Set<() => void>;
  timer?: NodeJS.Timeout;
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
      if (this.#rounds.get(time) === round) this.#rounds.delete(time);
    };
  }

  #open(time: number): Round {
    const round: Round = { time, due: new Set() };
    this.#rounds.set(time, round);
    this.#arm(round);
    return round;
  }

  #arm(round: Round): void {
    const pause = Math.max(0, Math.ceil(round.time - monotonicNow()));
    round.timer = setTimeout(() => this.#reach(round), Math.min(pause, MAX_TIMER)).unref();
  }

  /** Timers may fire early, and a long one is split: what counts is the clock. */
  #reach(round: Round): void {
    if (monotonicNow() < round.time) return this.#arm(round);
    this.#rounds.delete(round.time);
    const due = [...round.due];
    round.due.clear();
    for (const renew of due) renew();
  }
}

/** The last round before a moment: they are a power of two apart, so that rounds of different TTLs meet. */
function roundBefore(at: number, slack: number): number {
  const distance = 2 ** Math.floor(Math.log2(Math.max(slack, 1)));
  return Math.floor(at / distance) * distance;
}

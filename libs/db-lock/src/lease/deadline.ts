import { AsyncResource } from 'node:async_hooks';
import { monotonicNow } from './clock.js';
import { Timer } from './timer.js';
import { rounds, type Participant, type Round } from './rounds.js';

/** By which part the speeds of two clocks may differ. */
export const SPEED_MARGIN = 0.01;

/** Milliseconds for rounding, and for timers. */
export const ROUNDING_MARGIN = 2;

/**
 * How much earlier than the store a holder must stop trusting a lease of so many milliseconds: 1 % for clocks that run
 * at different speeds, and 2 ms for rounding and timers (the allowance that Redlock makes).
 */
export function safetyMargin(milliseconds: number): number {
  return milliseconds * SPEED_MARGIN + ROUNDING_MARGIN;
}

/**
 * Until when a lease may be trusted, on this process's monotonic clock: from the moment the confirmed request was
 * sent, because the store's answer may have been on its way for any part of the time since.
 */
export function trustedUntil(sentAt: number, timeLeft: number): number {
  return sentAt + timeLeft - safetyMargin(timeLeft);
}

/** How much sooner a deadline is looked at, together with others, as a part of the time until it passes. */
const SLACK = 1 / 8;

/** Who is so near to its deadline gets a timer of its own, in milliseconds. */
const NEAR = 250;

/** What is lost at its deadline. */
export interface Perishable {
  lose(reason: 'deadline'): void;
}

/**
 * Tells its owner once when a moment on the monotonic clock has passed, unless it is moved or cleared before. Most are cleared, or moved
 * on, long before: only who is near its deadline gets a timer of its own, and who is moved on is looked at when it was to be.
 */
export class Deadline extends AsyncResource implements Participant {
  round: Round | undefined = undefined;
  next: Participant | undefined = undefined;
  previous: Participant | undefined = undefined;
  #timer?: Timer;
  #at = -Infinity;

  constructor(private readonly owner: Perishable) {
    super('DbLockLease', { requireManualDestroy: true });
  }

  /** That in which it was made. What else is done for its owner may be done in it, too. */
  get scope(): AsyncResource {
    return this;
  }

  /** Milliseconds left; 0 when it has passed. */
  get timeLeft(): number {
    return Math.max(0, this.#at - monotonicNow());
  }

  moveTo(at: number): void {
    const isLater = at >= this.#at;
    this.#at = at;
    if (!this.round || !isLater) this.#look();
  }

  clear(): void {
    rounds.leave(this);
    this.#timer?.stop();
  }

  /** The deadline may have been moved since. */
  reached(): void {
    if (this.timeLeft === 0) this.owner.lose('deadline');
    else this.#look();
  }

  #look(): void {
    const { timeLeft } = this;
    this.#timer?.stop();
    if (timeLeft > NEAR) rounds.join(this, this.#at, timeLeft * SLACK);
    else {
      rounds.leave(this);
      this.#timer ??= new Timer(() => this.reached());
      this.#timer.set(this.#at);
    }
  }
}

import { AsyncLocalStorage, type AsyncResource } from 'node:async_hooks';
import { MAX_TIMER, monotonicNow } from './clock.js';

/** Whom a round is for. */
export interface Participant {
  /**
   * What it does then, it does in this asynchronous context, as with a timer of its own: the others of its round are somebody else's.
   */
  readonly scope: AsyncResource;
  /** The round that it has joined; Rounds sees to it. */
  round?: Round | undefined;
  /** The round is there. It is in none any more. */
  reached(): void;
}

/** Calls a function outside of any request, which a timer would keep alive. */
const outside = AsyncLocalStorage.snapshot();

export interface Round {
  /** On the monotonic clock, in milliseconds. */
  readonly time: number;
  readonly participants: Set<Participant>;
  timer?: NodeJS.Timeout;
}

/**
 * One timer for all who are due at about the same time. So thousands of leases cost few timers, and those that renew do so at the
 * same moment, so that one statement can renew them all.
 */
export class Rounds {
  readonly #rounds = new Map<number, Round>();

  /** Calls back once, at a moment on the monotonic clock or sooner by up to `slack` milliseconds, unless it leaves or joins again before. */
  join(participant: Participant, at: number, slack: number): void {
    this.leave(participant);
    const time = roundBefore(at, slack);
    const round = this.#rounds.get(time) ?? this.#open(time);
    round.participants.add(participant);
    participant.round = round;
  }

  leave(participant: Participant): void {
    const { round } = participant;
    if (!round) return;
    participant.round = undefined;
    round.participants.delete(participant);
    if (round.participants.size > 0) return;
    clearTimeout(round.timer);
    if (this.#rounds.get(round.time) === round) this.#rounds.delete(round.time);
  }

  #open(time: number): Round {
    const round: Round = { time, participants: new Set() };
    this.#rounds.set(time, round);
    this.#arm(round);
    return round;
  }

  #arm(round: Round): void {
    const pause = Math.max(0, Math.ceil(round.time - monotonicNow()));
    round.timer = outside(() => setTimeout(() => this.#reach(round), Math.min(pause, MAX_TIMER)).unref());
  }

  /** Timers may fire early, and a long one is split: what counts is the clock. */
  #reach(round: Round): void {
    if (monotonicNow() < round.time) return this.#arm(round);
    this.#rounds.delete(round.time);
    for (const participant of round.participants) {
      if (participant.round !== round) continue; // It has left meanwhile, or joined again.
      participant.round = undefined;
      callBack(participant);
    }
  }
}

/** What one throws must not keep the others from being called. */
function callBack(participant: Participant): void {
  try {
    participant.scope.runInAsyncScope(() => participant.reached());
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

/** Of this process: leases that one server renews go to it in one request, whichever client holds them. */
export const rounds = new Rounds();

/** The last round before a moment: they are a power of two apart, so that rounds of different TTLs meet. */
function roundBefore(at: number, slack: number): number {
  const distance = 2 ** Math.floor(Math.log2(Math.max(slack, 1)));
  return Math.floor(at / distance) * distance;
}

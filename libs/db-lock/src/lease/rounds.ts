import { AsyncLocalStorage, type AsyncResource } from 'node:async_hooks';
import { Timer } from './timer.js';

/** Whom a round is for. */
export interface Participant {
  /**
   * What it does then, it does in this asynchronous context, as with a timer of its own: the others of its round are somebody else's.
   */
  readonly scope: AsyncResource;
  /** The round that it has joined, and its neighbours there: Rounds sees to these. Never absent, so that all have one shape. */
  round: Round | undefined;
  next: Participant | undefined;
  previous: Participant | undefined;
  /** The round is there. It is in none any more. */
  reached(): void;
}

/** Calls a function outside of any request, which a timer would keep alive. */
const outside = AsyncLocalStorage.snapshot();

export interface Round {
  /** On the monotonic clock, in milliseconds. */
  readonly time: number;
  /** Its participants, in the order in which they joined. */
  first?: Participant | undefined;
  last?: Participant | undefined;
  timer: Timer;
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
    const { last } = round;
    if (last) last.next = participant;
    else round.first = participant;
    participant.previous = last;
    participant.round = round;
    round.last = participant;
  }

  leave(participant: Participant): void {
    const { round, next, previous } = participant;
    if (!round) return;
    participant.round = participant.next = participant.previous = undefined;
    if (previous) previous.next = next;
    else round.first = next;
    if (next) next.previous = previous;
    else round.last = previous;
    if (round.first) return;
    round.timer.stop();
    if (this.#rounds.get(round.time) === round) this.#rounds.delete(round.time);
  }

  #open(time: number): Round {
    const round: Round = { time, timer: new Timer(() => this.#reach(round)) };
    this.#rounds.set(time, round);
    outside(() => round.timer.set(time));
    return round;
  }

  #reach(round: Round): void {
    this.#rounds.delete(round.time);
    while (round.first) {
      const participant = round.first;
      this.leave(participant);
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

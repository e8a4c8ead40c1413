import { Logger } from '@nestjs/common';
import type { LockEventSink } from '../events/lock-events.js';
import { monotonicNow } from '../lease/clock.js';
import { safetyMargin } from '../lease/deadline.js';
import type { StoreClock } from '../lease/store-clock.js';

/** For how long a jump is told of as something that runs worse than it should, in milliseconds. */
const MEMORY = 10 * 60_000;

/** Something that tells the store's clock. */
interface Timed {
  serverTime?: Date;
}

/** What the store answers, as far as it may tell its clock. */
interface Answer extends Timed {
  lease?: Timed;
  leases?: readonly Timed[];
  holder?: Timed;
}

/**
 * Compares the store's clock with our monotonic one as answers come in, and tells when it jumped by more than the margin of the
 * shortest lease that was asked for: then leases may have ended while their holders trusted them, or last longer than they say.
 */
export class ClockWatch {
  readonly #logger = new Logger('DbLock');
  #shortest = Infinity;
  #jump?: { told: string; at: number };

  constructor(
    private readonly clock: StoreClock,
    private readonly events?: LockEventSink,
  ) {}

  /** The store is asked now, for leases of such TTLs in milliseconds if for any. Returns the time, on the monotonic clock. */
  asks(requests: ReadonlyArray<{ ttl: number }>): number {
    for (const { ttl } of requests) if (ttl < this.#shortest) this.#shortest = ttl;
    return monotonicNow();
  }

  /** Takes note of what the store has answered since it was asked, and passes it on. */
  heard<Answers extends readonly object[]>(sentAt: number, answers: Answers): Answers {
    const time = timeIn(answers);
    if (time) this.#hear(time, sentAt);
    return answers;
  }

  /** Tells of a jump for a while; empty when there was none. */
  get degraded(): readonly string[] {
    return this.#jump && monotonicNow() - this.#jump.at < MEMORY ? [this.#jump.told] : [];
  }

  #hear(time: Date, sentAt: number): void {
    const at = monotonicNow();
    const jump = Math.round(this.clock.observe(time, sentAt, at));
    if (Math.abs(jump) <= safetyMargin(this.#shortest)) return;
    const where = jump > 0 ? 'forward' : 'back';
    const told = `the database's clock jumped ${where} by at least ${Math.abs(jump)} ms before ${time.toISOString()}`;
    this.#jump = { told, at };
    this.#logger.warn(
      `${told[0]!.toUpperCase()}${told.slice(1)}: ${
        jump > 0
          ? 'leases may have ended while their holders still trusted them, for which there is the option clockTolerance.'
          : 'leases end that much later than they say.'
      }`,
    );
    if (this.events?.observed) this.events.emit({ type: 'clockJumped', jump });
  }
}

/** The first that tells the store's clock will do: all of them are of the same moment, or nearly. */
function timeIn(answers: readonly Answer[]): Date | undefined {
  for (const { lease, leases, holder, serverTime } of answers) {
    const time = serverTime ?? (lease ?? leases?.[0] ?? holder)?.serverTime;
    if (time) return time;
  }
  return undefined;
}

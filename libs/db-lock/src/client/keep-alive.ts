import type { AsyncResource } from 'node:async_hooks';
import { monotonicNow } from '../lease/clock.js';
import { rounds, type Participant, type Round } from '../lease/rounds.js';

/** Renewals are due when this part of the TTL has passed: two more chances before the lease is over. */
const DUE = 1 / 3;

/** The pause before a failed renewal is repeated, as a part of the TTL and in milliseconds at the most. */
const RETRY = { part: 1 / 20, atMost: 1_000 };

/** How much sooner a renewal may go, together with others, as a part of the pause before it. */
const SLACK = 1 / 8;

/**
 * Renews a lease again and again until it is stopped. Passing failures are repeated soon: only the lease's own deadline,
 * which stops it, ends the attempts.
 */
export class KeepAlive implements Participant {
  round: Round | undefined = undefined;
  next: Participant | undefined = undefined;
  previous: Participant | undefined = undefined;
  #stopped = false;

  /**
   * @param renew resolves when the lease was confirmed; when the lease is lost, it stops this
   * @param scope where to call it
   */
  constructor(
    private readonly ttl: number,
    private readonly renew: () => Promise<void>,
    readonly scope: AsyncResource,
  ) {
    this.#renewIn(ttl * DUE);
  }

  stop(): void {
    this.#stopped = true;
    rounds.leave(this);
  }

  #renewIn(milliseconds: number): void {
    if (this.#stopped) return;
    rounds.join(this, monotonicNow() + milliseconds, milliseconds * SLACK);
  }

  reached(): void {
    void this.#renewNow();
  }

  async #renewNow(): Promise<void> {
    try {
      await this.renew();
      this.#renewIn(this.ttl * DUE);
    } catch {
      this.#renewIn(Math.min(this.ttl * RETRY.part, RETRY.atMost));
    }
  }
}

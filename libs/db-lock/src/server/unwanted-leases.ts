import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseRecord } from '../store/lock-store.js';

/** How often it is tried to give a lease back, and the pause before the second try in milliseconds. */
const TRIES = 5;
const PAUSE = 200;

/** What was granted to callers who had gone. */
export class UnwantedLeases {
  readonly #logger = new Logger('DbLock');
  #givingBack = 0;

  /**
   * @param release ends the lease, unless its caller has repeated or renewed it since, on whatever server: that makes it another version.
   * Rejects when that could not be done.
   */
  constructor(private readonly release: (lease: LeaseRecord) => Promise<void>) {}

  /** Whether any is being given back. */
  get isBusy(): boolean {
    return this.#givingBack > 0;
  }

  async giveBack(lease: LeaseRecord): Promise<void> {
    this.#givingBack++;
    await this.#tryToRelease(lease);
    this.#givingBack--;
  }

  async #tryToRelease(lease: LeaseRecord): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.release(lease);
      } catch (error) {
        if (tries === TRIES) {
          this.#logger.warn(
            `Lock ${JSON.stringify(lease.lockName)} was granted to a caller who had gone, and is held until its TTL: ${String(error)}`,
          );
          return;
        }
        await sleep(PAUSE * tries);
      }
    }
  }
}

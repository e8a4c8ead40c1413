import { Logger } from '@nestjs/common';
import { OPERATORS_HISTORY } from '../history/options.js';
import type { LockServer } from '../server/lock-server.js';
import type { CheckedOptions } from './options.js';

/** How often idle locks and old records are looked for, in ms. */
const INTERVAL = 60 * 60 * 1000;

/** Removes what is old, time and again, until it is stopped. */
export class Sweeps {
  readonly #logger = new Logger('DbLock');
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(server: LockServer, { retention, history }: CheckedOptions) {
    if (retention !== false)
      this.#repeat('Idle locks', Math.min(INTERVAL, retention), () => server.removeIdle(retention));
    // Otherwise the recorder does it.
    if (history === false)
      this.#repeat('Records of operators', INTERVAL, () =>
        server.store.history.trim(OPERATORS_HISTORY.retention, OPERATORS_HISTORY.maxRows),
      );
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #repeat(what: string, interval: number, remove: () => Promise<unknown>): void {
    const sweep = async () => {
      try {
        await remove();
      } catch (error) {
        this.#logger.warn(
          `${what} could not be removed: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    };
    this.#timers.push(setInterval(() => void sweep(), interval).unref());
  }
}

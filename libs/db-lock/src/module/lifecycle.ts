import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AdminFeature } from '../admin/admin-feature.js';
import type { HistoryRecorder } from '../history/history-recorder.js';
import { OPERATORS_HISTORY } from '../history/options.js';
import type { LockServer } from '../server/lock-server.js';
import type { LockStore } from '../store/lock-store.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { CheckedOptions } from './options.js';
import { CHECKED_OPTIONS, FEATURE_SET_UP, HISTORY_RECORDER, LOCK_STORE } from './private-tokens.js';
import { getDjangoDbLockClientToken, getLockClientToken, getLockServerToken } from './tokens.js';

/** How often idle locks and old records are looked for, in ms. */
const SWEEP_INTERVAL = 60 * 60 * 1000;

/** Begins and ends what a feature does by itself: removing what is old, releasing leases at the shutdown. */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('DbLock');
  readonly #sweeps: NodeJS.Timeout[] = [];

  constructor(
    @Inject(FEATURE_SET_UP) private readonly setUp: FeatureSetUp,
    @Inject(CHECKED_OPTIONS) private readonly options: CheckedOptions,
    private readonly module: ModuleRef,
  ) {}

  onApplicationBootstrap(): void {
    const { retention, history } = this.options;
    if (!this.setUp.local) return;
    if (retention !== false)
      this.#sweep('Idle locks', Math.min(SWEEP_INTERVAL, retention), () =>
        this.#own<LockServer>(getLockServerToken(this.setUp.feature)).removeIdle(retention),
      );
    // Otherwise the recorder does it.
    if (history === false)
      this.#sweep('Records of operators', SWEEP_INTERVAL, () =>
        this.#own<LockStore>(LOCK_STORE).history.trim(OPERATORS_HISTORY.retention, OPERATORS_HISTORY.maxRows),
      );
  }

  /** Nest calls this before it waits for the requests in flight: those who wait for a lock, or watch, would hold it up. */
  beforeApplicationShutdown(): void {
    if (this.setUp.local) this.#own<LockServer>(getLockServerToken(this.setUp.feature)).stopWaiting();
    if (this.setUp.admin) this.#own<AdminFeature>(AdminFeature).changes.close();
  }

  /** Nest calls this after its HTTP server has answered the requests in flight. */
  async onApplicationShutdown(): Promise<void> {
    for (const sweep of this.#sweeps) clearInterval(sweep);
    await this.#own<{ close(): Promise<void> }>(this.#clientToken()).close();
    if (!this.setUp.local) return;
    await this.#own<HistoryRecorder | undefined>(HISTORY_RECORDER)?.close();
    // A store that was given as it is stays its owner's.
    const store = this.#own<LockStore>(LOCK_STORE);
    if (store !== this.setUp.store) await store.close();
  }

  /** Removes what is old, time and again. */
  #sweep(what: string, interval: number, remove: () => Promise<unknown>): void {
    const sweep = async () => {
      try {
        await remove();
      } catch (error) {
        this.#logger.warn(
          `${what} could not be removed: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    };
    this.#sweeps.push(setInterval(() => void sweep(), interval).unref());
  }

  #clientToken() {
    const { feature, protocol } = this.setUp;
    return protocol === 'rest' ? getLockClientToken(feature) : getDjangoDbLockClientToken(feature);
  }

  #own<Provider>(token: Parameters<ModuleRef['get']>[0]): Provider {
    return this.module.get<Provider>(token, { strict: true });
  }
}

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
import type { LockServer } from '../server/lock-server.js';
import type { LockStore } from '../store/lock-store.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { CheckedOptions } from './options.js';
import { CHECKED_OPTIONS, FEATURE_SET_UP, HISTORY_RECORDER, LOCK_STORE } from './private-tokens.js';
import { getDjangoDbLockClientToken, getLockClientToken, getLockServerToken } from './tokens.js';

/** How often idle locks are looked for, in ms; never more often than their retention. */
const SWEEP_INTERVAL = 60 * 60 * 1000;

/** Begins and ends what a feature does by itself: removing idle locks, releasing leases at the shutdown. */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('DbLock');
  #sweep?: NodeJS.Timeout;

  constructor(
    @Inject(FEATURE_SET_UP) private readonly setUp: FeatureSetUp,
    @Inject(CHECKED_OPTIONS) private readonly options: CheckedOptions,
    private readonly module: ModuleRef,
  ) {}

  onApplicationBootstrap(): void {
    const { retention } = this.options;
    if (!this.setUp.model || retention === false) return;
    this.#sweep = setInterval(() => void this.#removeIdle(retention), Math.min(SWEEP_INTERVAL, retention));
    this.#sweep.unref();
  }

  /** Nest calls this before it waits for the requests in flight: those who wait for a lock, or watch, would hold it up. */
  beforeApplicationShutdown(): void {
    if (this.setUp.model) this.#own<LockServer>(getLockServerToken(this.setUp.feature)).stopWaiting();
    if (this.setUp.admin) this.#own<AdminFeature>(AdminFeature).changes.close();
  }

  /** Nest calls this after its HTTP server has answered the requests in flight. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#own<{ close(): Promise<void> }>(this.#clientToken()).close();
    if (!this.setUp.model) return;
    await this.#own<HistoryRecorder | undefined>(HISTORY_RECORDER)?.close();
    await this.#own<LockStore>(LOCK_STORE).close();
  }

  async #removeIdle(retention: number): Promise<void> {
    try {
      await this.#own<LockServer>(getLockServerToken(this.setUp.feature)).removeIdle(retention);
    } catch (error) {
      this.#logger.warn(
        `Idle locks could not be removed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #clientToken() {
    const { feature, protocol } = this.setUp;
    return protocol === 'rest' ? getLockClientToken(feature) : getDjangoDbLockClientToken(feature);
  }

  #own<Provider>(token: Parameters<ModuleRef['get']>[0]): Provider {
    return this.module.get<Provider>(token, { strict: true });
  }
}

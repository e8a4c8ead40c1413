import {
  Inject,
  Injectable,
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
import { Sweeps } from './sweeps.js';
import { getDjangoDbLockClientToken, getLockClientToken, getLockServerToken } from './tokens.js';

/** Begins and ends what a feature does by itself: removing what is old, releasing leases at the shutdown. */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  #sweeps?: Sweeps;

  constructor(
    @Inject(FEATURE_SET_UP) private readonly setUp: FeatureSetUp,
    @Inject(CHECKED_OPTIONS) private readonly options: CheckedOptions,
    private readonly module: ModuleRef,
  ) {}

  onApplicationBootstrap(): void {
    if (this.setUp.local) this.#sweeps = new Sweeps(this.#server, this.options);
  }

  /** Nest calls this before it waits for the requests in flight: those who wait for a lock, or watch, would hold it up. */
  beforeApplicationShutdown(): void {
    if (this.setUp.local) this.#server.stopWaiting();
    if (this.setUp.admin) this.#own<AdminFeature>(AdminFeature).changes.close();
  }

  /** Nest calls this after its HTTP server has answered the requests in flight. */
  async onApplicationShutdown(): Promise<void> {
    this.#sweeps?.stop();
    await this.#own<{ close(): Promise<void> }>(this.#clientToken()).close();
    if (!this.setUp.local) return;
    await this.#server.rest();
    await this.#own<HistoryRecorder | undefined>(HISTORY_RECORDER)?.close();
    // A store that was given as it is stays its owner's.
    const store = this.#own<LockStore>(LOCK_STORE);
    if (store !== this.setUp.store) await store.close();
  }

  get #server(): LockServer {
    return this.#own(getLockServerToken(this.setUp.feature));
  }

  #clientToken() {
    const { feature, protocol } = this.setUp;
    return protocol === 'rest' ? getLockClientToken(feature) : getDjangoDbLockClientToken(feature);
  }

  #own<Provider>(token: Parameters<ModuleRef['get']>[0]): Provider {
    return this.module.get<Provider>(token, { strict: true });
  }
}

import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { inTime } from './lease/in-time.js';
import { checkVersions, MANIFEST } from './lease/versions.js';
import { getLockServerToken } from './module/tokens.js';
import type { LockServer } from './server/lock-server.js';

/** Tells whether a feature's store answers. Provide it beside `TerminusModule`. */
@Injectable()
export class LockHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly module: ModuleRef,
  ) {
    checkVersions(MANIFEST, '@nestjs/terminus');
  }

  /**
   * `up` when the store answers within `timeout` milliseconds (default 1,000), else `down`; `degraded` when it answers
   * but something beside it does not, such as the gate's Redis: locks work then, only slower. Likewise for ten minutes after
   * the store's clock has jumped. Terminus 11 has no `degraded`: there it is `up` with a message.
   */
  async isHealthy<Key extends string>(
    key: Key,
    { feature, timeout = 1000 }: { feature?: string; timeout?: number } = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const server = this.module.get<LockServer>(getLockServerToken(feature), { strict: false });
    const indicator = this.indicators.check(key);
    try {
      await inTime(timeout, server.ping());
    } catch (error) {
      return indicator.down({ message: error instanceof Error ? error.message : String(error) });
    }
    const { degraded } = server;
    if (degraded.length === 0) return indicator.up();
    const message = `${degraded.join('; ')}.`;
    // Terminus 11 knows up and down only.
    return typeof indicator.degraded === 'function'
      ? indicator.degraded({ message })
      : indicator.up({ message });
  }
}

import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { getLockServerToken } from './module/tokens.js';
import type { LockServer } from './server/lock-server.js';

/** Tells whether a feature's store answers. Provide it beside `TerminusModule`. */
@Injectable()
export class LockHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly module: ModuleRef,
  ) {}

  /**
   * `up` when the store answers within `timeout` milliseconds (default 1,000), else `down`; `degraded` when it answers
   * but something beside it does not, such as the gate's Redis: locks work then, only slower. Likewise for ten minutes after
   * the store's clock has jumped.
   */
  async isHealthy<Key extends string>(
    key: Key,
    { feature, timeout = 1000 }: { feature?: string; timeout?: number } = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const server = this.module.get<LockServer>(getLockServerToken(feature), { strict: false });
    const indicator = this.indicators.check(key);
    const result = await indicator.attempt(() => server.ping()).withTimeout(timeout);
    const { degraded } = server;
    return result[key].status === 'up' && degraded.length > 0
      ? indicator.degraded({ message: `${degraded.join('; ')}.` })
      : result;
  }
}

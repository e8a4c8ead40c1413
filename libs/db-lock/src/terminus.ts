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

  /** `up` when the store answers within `timeout` milliseconds (default 1,000), else `down`. */
  async isHealthy<Key extends string>(
    key: Key,
    { feature, timeout = 1000 }: { feature?: string; timeout?: number } = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const server = this.module.get<LockServer>(getLockServerToken(feature), { strict: false });
    return this.indicators
      .check(key)
      .attempt(() => server.ping())
      .withTimeout(timeout);
  }
}

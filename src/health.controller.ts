import { Controller, Get, Inject, UseFilters } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { LockHealthIndicator } from 'nestjs-db-lock/terminus';
import { CONFIGURATION } from './configuration.token.js';
import type { Configuration } from './configuration.js';
import { PlainErrorFilter } from './plain-error.filter.js';

/** For load balancers and orchestrators; open to everybody who can reach the server. */
@Controller('health')
@ApiTags('Health')
@UseFilters(PlainErrorFilter) // a failed check answers with its details
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly locks: LockHealthIndicator,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** The process runs. */
  @Get('live')
  @ApiOperation({ operationId: 'checkLive', summary: 'Whether the process runs' })
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** The database answers. `degraded`, and still 200, while the gate's Redis does not, or when its clock has jumped: locks work all the same. */
  @Get('ready')
  @ApiOperation({ operationId: 'checkReady', summary: 'Whether the database answers' })
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.locks.isHealthy('database', { feature: this.configuration.feature }),
    ]);
  }
}

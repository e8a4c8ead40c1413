import { Controller, Get, Header, UseGuards, type CanActivate, type Type } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Metrics, METRICS_TYPE } from './metrics.js';

/** For Prometheus. */
@Controller('metrics')
@ApiExcludeController()
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @Header('Content-Type', METRICS_TYPE)
  @Header('Cache-Control', 'no-store')
  scrape(): Promise<string> {
    return this.metrics.scrape();
  }
}

/** The same behind guards. */
export function guardedMetricsController(guards: CanActivate[]): Type {
  const GuardedMetricsController = class extends MetricsController {};
  UseGuards(...guards)(GuardedMetricsController);
  return GuardedMetricsController;
}

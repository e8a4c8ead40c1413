import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DbLockModule, ProblemFilter } from 'nestjs-db-lock';
import { LockHealthIndicator } from 'nestjs-db-lock/terminus';
import { AdminPasswordGuard } from './admin-password.guard.js';
import { BearerTokenGuard } from './bearer-token.guard.js';
import { servesAdmin, type Configuration } from './configuration.js';
import { CONFIGURATION } from './configuration.token.js';
import { HealthController } from './health.controller.js';
import { Metrics } from './metrics.js';
import { guardedMetricsController } from './metrics.controller.js';
import { RootController } from './root.controller.js';
import { SameSiteGuard } from './same-site.guard.js';

/** The standalone lock server: the library, one database, and who may come in. */
@Module({})
export class AppModule {
  /** @param database how to reach it */
  static forRoot(configuration: Configuration, database: TypeOrmModuleOptions): DynamicModule {
    const { feature, createTables, clockTolerance, redisUrl, apiToken, adminPassword, loopback } =
      configuration;
    const guards = [
      new SameSiteGuard({ loopbackOnly: apiToken === undefined, links: false }),
      ...(apiToken ? [new BearerTokenGuard(apiToken)] : []),
    ];
    const metrics = configuration.metrics ? new Metrics() : undefined;
    return {
      module: AppModule,
      imports: [
        TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
        DbLockModule.forRoot({
          feature,
          createTables,
          clockTolerance,
          redis: redisUrl === undefined ? undefined : { url: redisUrl },
          telemetry: metrics?.telemetry,
          guards,
          autoRegisterAdmin: servesAdmin(configuration),
          adminGuards: [
            new SameSiteGuard({ loopbackOnly: adminPassword === undefined && loopback, links: true }),
            ...(adminPassword ? [new AdminPasswordGuard(adminPassword)] : []),
          ],
          isGlobal: true,
        }),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [RootController, HealthController, ...(metrics ? [guardedMetricsController(guards)] : [])],
      providers: [
        { provide: Metrics, useValue: metrics },
        LockHealthIndicator,
        { provide: CONFIGURATION, useValue: configuration },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}

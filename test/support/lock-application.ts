import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DbLockModule, type DbLockModuleOptions } from 'nestjs-db-lock';
import { findFreePort } from './free-port.js';

export type Platform = 'express' | 'fastify';

export interface LockApplicationOptions {
  database: TypeOrmModuleOptions;
  /** One entry a feature; default: one, with its tables created. */
  features?: DbLockModuleOptions[];
  platform?: Platform;
  globalPrefix?: string;
  metadata?: ModuleMetadata;
  /** What to inject instead, by token. */
  overrides?: Array<[token: unknown, value: unknown]>;
  /** Options of Fastify's router. */
  routerOptions?: object;
  logger?: LoggerService;
}

/** A Nest application that holds locks. */
export async function createLockApplication(options: LockApplicationOptions): Promise<INestApplication> {
  const { database, features = [{}], platform = 'express', globalPrefix, metadata = {}, logger } = options;
  const builder = Test.createTestingModule({
    ...metadata,
    imports: [
      TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
      ...features.map((feature) => DbLockModule.forRoot({ createTables: true, public: true, ...feature })),
      ...(metadata.imports ?? []),
    ],
  });
  for (const [token, value] of options.overrides ?? []) builder.overrideProvider(token).useValue(value);
  const module = await builder.compile();
  const app = module.createNestApplication(
    platform === 'express'
      ? new ExpressAdapter()
      : new FastifyAdapter({ routerOptions: { maxParamLength: 510, ...options.routerOptions } }),
    { logger: logger ?? ['error', 'fatal'] },
  );
  if (globalPrefix !== undefined) app.setGlobalPrefix(globalPrefix);
  await app.init();
  return app;
}

/** Serves on a free loopback port and returns its origin, `http://127.0.0.1:PORT`. */
export async function listen(app: INestApplication): Promise<string> {
  await app.listen(await findFreePort(), '127.0.0.1');
  return app.getUrl();
}

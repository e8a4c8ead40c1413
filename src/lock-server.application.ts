import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { serveApiDocs } from './api-docs.js';
import { AppModule } from './app.module.js';
import { databaseOptions } from './database.js';
import type { Configuration } from './configuration.js';
import type { Log } from './log.js';
import { PinoLogger } from './pino-logger.js';

/** Two UTF-16 units for each of the 255 characters that a lock's name may have. */
const MAX_PARAM_LENGTH = 510;

/** A thousand requests in one fit in; each may have 8 KiB of metadata besides, written with escapes. */
const BODY_LIMIT = 1024 * 1024;

/** The server, ready to listen. */
export async function createLockServer(
  configuration: Configuration,
  { pino, isForPeople }: Log,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    bodyLimit: BODY_LIMIT,
  });
  const module = AppModule.forRoot(configuration, await databaseOptions(configuration));
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: new PinoLogger(pino, isForPeople ? 'debug' : 'info'),
    abortOnError: false,
  });
  serveApiDocs(app, configuration);
  return app;
}

import 'reflect-metadata';
import { pino } from 'pino';
import { addressesOf, banner } from './addresses.js';
import { ConfigurationError, readConfiguration, type Configuration } from './configuration.js';
import { createLockServer } from './lock-server.application.js';

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = pino({ level: configuration.logLevel });
  const app = await createLockServer(configuration, logger);
  closeOnSignals(app, configuration, logger);
  await app.listen(configuration.port, configuration.host);
  const addresses = addressesOf(configuration, (app.getHttpServer().address() as { port: number }).port);
  logger.info(addresses, 'The lock server is ready.');
  process.stderr.write(banner(addresses, configuration));
}

/** Lets requests in flight finish, releases, and exits with 0; with 1 when that takes longer than the grace time. */
function closeOnSignals(
  app: { close(): Promise<void> },
  { shutdownGrace }: Configuration,
  logger: Pick<ReturnType<typeof pino>, 'info' | 'error'>,
): void {
  const close = async (signal: string) => {
    logger.info({ signal }, 'Shutting down.');
    setTimeout(() => {
      logger.error({ shutdownGrace }, 'The grace time is over; exiting all the same.');
      process.exit(1);
    }, shutdownGrace).unref();
    await app.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      close(signal).catch((error: unknown) => {
        logger.error({ err: error }, 'The shutdown failed.');
        process.exit(1);
      });
    });
}

main().catch((error: unknown) => {
  const message = error instanceof ConfigurationError ? error.message : error;
  console.error(message instanceof Error ? `The lock server can not start: ${message.message}` : message);
  process.exit(1);
});

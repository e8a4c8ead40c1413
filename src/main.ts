import 'reflect-metadata';
import { pino } from 'pino';
import { addressesOf, banner } from './addresses.js';
import { readConfiguration } from './configuration.js';
import { closeOnSignals } from './graceful-close.js';
import { createLockServer } from './lock-server.application.js';

async function main(): Promise<void> {
  const configuration = readConfiguration(process.env);
  const logger = pino({ level: configuration.logLevel });
  const app = await createLockServer(configuration, logger);
  closeOnSignals(app, configuration.shutdownGrace, logger);
  await app.listen(configuration.port, configuration.host);
  const { port } = app.getHttpServer().address() as { port: number };
  const addresses = addressesOf(configuration, port);
  logger.info(addresses, 'The lock server is ready.');
  process.stderr.write(banner(addresses, configuration));
}

main().catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`The lock server can not start.\n${reason}\n`);
  process.exit(1);
});

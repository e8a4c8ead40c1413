#!/usr/bin/env node
import 'reflect-metadata';
import { addressesOf, banner, originOf } from './addresses.js';
import { readConfiguration, type Configuration } from './configuration.js';
import { closeOnSignals } from './graceful-close.js';
import { createLockServer } from './lock-server.application.js';
import { openLog } from './log.js';
import { reasonOf } from './start-failure.js';

let configuration: Configuration | undefined;

async function main(): Promise<void> {
  configuration = readConfiguration(process.env);
  const log = openLog(configuration.logLevel, process.stdout);
  const app = await createLockServer(configuration, log);
  closeOnSignals(app, configuration.shutdownGrace, log.pino);
  await app.listen(configuration.port, configuration.host);
  const { port } = app.getHttpServer().address() as { port: number };
  const addresses = addressesOf(configuration, originOf(configuration, port));
  if (!log.isForPeople) log.pino.info(addresses, 'The lock server is ready.');
  process.stderr.write(banner(addresses, configuration));
}

main().catch((error: unknown) => {
  process.stderr.write(`The lock server can not start.\n${reasonOf(error, configuration)}\n`);
  process.exit(1);
});

import type { DataSourceOptions } from 'typeorm';
import { LocalTransport } from '../client/local-transport.js';
import type { LockEvents } from '../events/lock-events.js';
import { StoreClock } from '../lease/store-clock.js';
import type { LockServer } from '../server/lock-server.js';
import type { FeatureSetUp } from './feature-set-up.js';
import type { CheckedOptions } from './options.js';
import { openInDatabase } from './own-database.js';
import { behindGate, recorderOf, serverOf } from './parts.js';
import { Sweeps } from './sweeps.js';

/** The way to a lock server that one client has to itself, and that ends with it. */
export class OwnServer extends LocalTransport {
  constructor(
    server: LockServer,
    private readonly end: () => Promise<void>,
  ) {
    super(server);
  }

  override close(): Promise<void> {
    return this.end();
  }
}

/**
 * A lock server in a database of which nobody else in this process knows.
 * @throws DbLockConfigurationError, LockTableMissingError, or why the database can't be reached
 */
export async function openOwnServer(
  place: DataSourceOptions,
  setUp: FeatureSetUp,
  options: CheckedOptions,
  events: LockEvents,
): Promise<OwnServer> {
  const clock = new StoreClock();
  const store = await behindGate(await openInDatabase(place, setUp, options), setUp, options);
  const recorder = recorderOf(store, options, events, clock);
  const server = serverOf(store, options, events, recorder, clock);
  const sweeps = new Sweeps(server, options);
  return new OwnServer(server, async () => {
    server.stopWaiting();
    sweeps.stop();
    await server.rest();
    await recorder?.close();
    await store.close();
  });
}

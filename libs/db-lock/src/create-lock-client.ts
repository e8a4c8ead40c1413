import type { DataSource, DataSourceOptions } from 'typeorm';
import { LocalTransport } from './client/local-transport.js';
import { LockClient } from './client/lock-client.js';
import { LockEvents } from './events/lock-events.js';
import { DbLockConfigurationError } from './lease/errors.js';
import { StoreClock } from './lease/store-clock.js';
import { checkDatabase, type LockDatabase } from './module/database-options.js';
import { featureSetUp, type FeatureSetUp } from './module/feature-set-up.js';
import {
  checkOptions,
  type CheckedOptions,
  type DbLockOptions,
  type DbLockStaticOptions,
} from './module/options.js';
import {
  behindGate,
  checkPeers,
  clientSettings,
  recorderOf,
  remoteClient,
  serverOf,
} from './module/parts.js';
import { openInDatabase } from './module/own-database.js';
import { checkRemote } from './module/remote-options.js';
import { Sweeps } from './module/sweeps.js';
import type { LockServer } from './server/lock-server.js';
import { bareOptions } from './store/bare-options.js';
import { databaseOf } from './store/databases.js';

/** Where the locks of a client are, exactly one of `database`, `dataSource` and `apiServer`, and the options of `DbLockModule.forRoot()`. */
export interface LockClientOptions
  extends
    Omit<DbLockOptions, 'acquireLockPath' | 'releaseLockPath'>,
    Pick<DbLockStaticOptions, 'feature' | 'entity'> {
  /** The database to keep locks in: `{ type: 'postgres', url }`. */
  database?: LockDatabase;
  /** A TypeORM DataSource, initialized or not, into whose database to go. It stays as it is, and yours to close. */
  dataSource?: DataSource;
}

/**
 * A lock client for scripts and workers that are no Nest application. Close it at the end, or have that done:
 *
 *     await using locks = await createLockClient({ database: { type: 'postgres', url: process.env.DATABASE_URL } });
 *     await locks.withLock('import', async () => { … });
 *
 * @throws DbLockConfigurationError naming the option that is wrong, missing or contradicts another.
 * @throws LockTableMissingError when a table is missing and `createTables` is off.
 */
export async function createLockClient(options: LockClientOptions): Promise<LockClient> {
  const { database, dataSource, feature, entity, ...rest } = options;
  checkPlace({ database, dataSource, apiServer: rest.apiServer });
  const setUp = featureSetUp({
    feature,
    entity,
    autoRegisterModel: rest.apiServer === undefined,
    autoRegisterAdmin: false,
    autoRegisterServices: false,
  });
  checkPeers(setUp);
  const checked = checkRemote(setUp, rest, checkOptions(rest));
  const events = new LockEvents(setUp.feature);
  if (!setUp.local) return remoteClient(checked, events);
  const place = dataSource
    ? { ...bareOptions(dataSource.options), entities: dataSource.options.entities }
    : checkDatabase(database);
  return openClient(place, setUp, checked, events);
}

function checkPlace(places: Pick<LockClientOptions, 'database' | 'dataSource' | 'apiServer'>): void {
  const [place, other] = Object.entries(places).filter(([, value]) => value !== undefined);
  if (!place)
    throw new DbLockConfigurationError(
      'database',
      'is needed, or dataSource or apiServer: where are the locks?',
    );
  if (other)
    throw new DbLockConfigurationError(
      other[0],
      `says where locks are, and so does ${place[0]}: drop one of the two.`,
    );
  const { dataSource } = places;
  if (dataSource !== undefined && !(dataSource as Partial<DataSource> | null)?.options)
    throw new DbLockConfigurationError('dataSource', 'must be a DataSource of TypeORM.');
  if (dataSource) databaseOf(dataSource);
}

async function openClient(
  place: DataSourceOptions,
  setUp: FeatureSetUp,
  options: CheckedOptions,
  events: LockEvents,
): Promise<LockClient> {
  const clock = new StoreClock();
  const store = await behindGate(await openInDatabase(place, setUp, options), setUp, options);
  const recorder = recorderOf(store, options, events, clock);
  const server = serverOf(store, options, events, recorder, clock);
  const sweeps = new Sweeps(server, options);
  const end = async () => {
    server.stopWaiting();
    sweeps.stop();
    await server.rest();
    await recorder?.close();
    await store.close();
  };
  return new LockClient(clientSettings(options, events), new OwnServer(server, end));
}

/** The way to a lock server that one client has to itself, and that ends with it. */
class OwnServer extends LocalTransport {
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

import type { EventEmitter } from 'node:events';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { DbLockConfigurationError } from '../lease/errors.js';
import type { Purpose } from './postgres.dialect.js';

/**
 * The most connections of each purpose. One is kept each, once it was needed; more are there only while statements of
 * that purpose overlap, such as a renewal and a grant, or a slow one and its successors.
 */
export const CONNECTIONS: Record<Purpose, number> = { acquire: 4, release: 2, queue: 1, act: 1, desk: 2 };

/** And one that listens. */
const ALL_CONNECTIONS = Object.values(CONNECTIONS).reduce((sum, most) => sum + most, 1);

/**
 * A DataSource like the application's, with a few connections of its own: the application's pool may be empty or its
 * connection in a transaction, and a lock must not wait for either.
 * @throws DbLockConfigurationError when the database is not PostgreSQL.
 */
export async function ownDataSource(dataSource: DataSource, connectTimeout: number): Promise<DataSource> {
  if (dataSource.options.type !== 'postgres')
    throw new DbLockConfigurationError(
      'dataSource',
      `a DataSource of type "${dataSource.options.type}" can't hold locks; PostgreSQL and PGlite (type "postgres") can.`,
    );
  const { options } = dataSource;
  const own = new DataSource({
    ...options,
    entities: [],
    migrations: [],
    subscribers: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    installExtensions: false,
    cache: false,
    logging: false,
    applicationName: `${options.applicationName ?? 'nestjs'} db-lock`,
    connectTimeoutMS: options.connectTimeoutMS ?? connectTimeout,
    extra: { ...(options.extra as object), max: ALL_CONNECTIONS },
    poolErrorHandler: () => undefined, // a lane notices by itself that its connection broke
  });
  await own.initialize();
  neverUnheard(own);
  return own;
}

/**
 * The database may end a connection in the very packet which says that it is ready: then nobody listens yet who asked for it, and an
 * error that nobody hears ends the process. Who asked learns of it by their first statement.
 */
function neverUnheard({ driver }: DataSource): void {
  const pool = (driver as PostgresDriver).master as EventEmitter;
  pool.on('connect', (client: EventEmitter) => client.on('error', () => undefined));
}

/** Whether all connections are one session: PGlite's driver says so. */
export function sharesOneSession(dataSource: DataSource): boolean {
  const { driver } = dataSource.options as { driver?: { sharedSession?: boolean } };
  return driver?.sharedSession === true;
}

import { DataSource } from 'typeorm';
import { DbLockConfigurationError } from '../lease/errors.js';

/** One connection a purpose (grants and renewals, releases, the queue, everything else), and one that listens. */
const CONNECTIONS = 5;

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
  return new DataSource({
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
    extra: { ...(options.extra as object), max: CONNECTIONS },
    poolErrorHandler: () => undefined, // a lane notices by itself that its connection broke
  }).initialize();
}

/** Whether all connections are one session: PGlite's driver says so. */
export function sharesOneSession(dataSource: DataSource): boolean {
  const { driver } = dataSource.options as { driver?: { sharedSession?: boolean } };
  return driver?.sharedSession === true;
}

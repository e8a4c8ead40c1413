import type { EventEmitter } from 'node:events';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { bareOptions } from '../bare-options.js';
import type { Purpose } from './sessions.sql.js';

/**
 * The most connections of each purpose. One is kept each, once it was needed; more are there only while statements of
 * that purpose overlap, such as a renewal and a grant, or a slow one and its successors.
 */
export const CONNECTIONS: Record<Purpose, number> = { acquire: 4, release: 2, queue: 1, act: 1, desk: 2 };

/** And one that listens. */
const ALL_CONNECTIONS = Object.values(CONNECTIONS).reduce((sum, most) => sum + most, 1);

/** What TypeORM has to know of a PostgreSQL. */
export type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/**
 * A DataSource like the application's, with a few connections of its own: the application's pool may be empty or its
 * connection in a transaction, and a lock must not wait for either.
 */
export async function ownDataSource(dataSource: DataSource, connectTimeout: number): Promise<DataSource> {
  const options = dataSource.options as PostgresOptions;
  const own = new DataSource({
    ...bareOptions(options),
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

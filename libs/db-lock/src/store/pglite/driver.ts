import { DbLockConfigurationError } from '../../lease/errors.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { PglitePool, type PglitePoolOptions } from './pool.js';

export interface PgliteOptions {
  /**
   * The directory that holds the database, made when missing. In memory without one: then the data is gone when the
   * last DataSource of the driver is destroyed.
   */
  dataDir?: string;
}

/**
 * An embedded PostgreSQL (PGlite), for the `driver` option of a TypeORM DataSource of type `postgres`.
 *
 * - It needs the packages `@electric-sql/pglite` and `pg`.
 * - All DataSources with the same driver share one database. It opens with the first and closes with the last.
 * - There is one session: one client has it from connect to release, the others wait in line. A transaction that waits
 *   for a statement outside of it would wait for ever; `connectTimeoutMS` (default 30 s) turns that into an error.
 * - PGlite runs in this thread: while it computes, the application does nothing else.
 * - A data directory is for one process at a time: a second one gets a DataDirectoryInUseError. Processes on other
 *   machines, or in other containers, are not seen: never share a directory with them.
 * - PGlite runs with fsync off: what is committed survives the death of the process, `kill -9` included, but not a
 *   power loss or a crash of the operating system.
 */
export class PgliteDriver {
  /** Tells the lock store that settings and open transactions on one connection would concern all others. */
  readonly sharedSession = true;

  /** What TypeORM asks a driver for. */
  readonly Pool: new (options?: PglitePoolOptions) => PglitePool;

  /** @throws DbLockConfigurationError when dataDir is not a path */
  constructor({ dataDir }: PgliteOptions = {}) {
    if (dataDir === '' || (dataDir !== undefined && /^[a-z][a-z\d+-]+:\/\//i.test(dataDir)))
      throw new DbLockConfigurationError(
        'dataDir',
        `"${dataDir}" is not the path of a directory; leave the option out for a database in memory.`,
      );
    const database = new EmbeddedDatabase(dataDir);
    this.Pool = class extends PglitePool {
      constructor(options?: PglitePoolOptions) {
        super(database, options);
      }
    };
  }
}

/**
 * What to spread into TypeORM's options for an embedded database:
 *
 *     TypeOrmModule.forRoot({ ...pgliteDataSourceOptions({ dataDir: '.data' }), autoLoadEntities: true })
 *
 * @throws DbLockConfigurationError when dataDir is not a path
 */
export function pgliteDataSourceOptions(options?: PgliteOptions): { type: 'postgres'; driver: PgliteDriver } {
  return { type: 'postgres', driver: new PgliteDriver(options) };
}

import { DataSource, type DataSourceOptions } from 'typeorm';
import { MemoryLockStore } from 'nestjs-db-lock/testing';
import { databaseOf } from '../../libs/db-lock/src/store/databases.js';
import type { LockDesk } from '../../libs/db-lock/src/store/lock-desk.js';
import { Shortcut } from '../../libs/db-lock/src/store/shortcut.js';
import type { HistoryStore } from '../../libs/db-lock/src/store/history-store.js';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import type { WaitQueue } from '../../libs/db-lock/src/store/wait-queue.js';
import { NodeSqlite } from '../../libs/db-lock/src/store/sqlite/node-sqlite.js';
import {
  mariadbStorage,
  nodeSqliteStorage,
  postgresStorage,
  sqliteStorage,
  type TestStorage,
} from '../support/databases.js';
import { hasProgram } from '../support/system-program.js';
import { withCompany } from './company.js';

export interface OpenOptions {
  /** In milliseconds. */
  clockTolerance?: number;
}

/** A store of a test's own, empty at first. */
export interface OpenStore {
  store: LockStore & { queue: WaitQueue };
  desk: LockDesk;
  queue: WaitQueue;
  history: HistoryStore;
  /** Makes all that the store knows so many milliseconds older, tokens too where the store's clock can't be moved. */
  letPass(milliseconds: number): Promise<void>;
  /** Raises the token of a lock so far above the clock, in milliseconds. Absent where nothing but the store can write. */
  raiseToken?(lockName: string, milliseconds: number): Promise<void>;
  drop(): Promise<void>;
}

export interface StoreKind {
  name: string;
  /** A letter that it does not find in its other case. */
  caseless?: string;
  open(options?: OpenOptions): Promise<OpenStore>;
}

const TABLES = {
  lock: 'store_lock',
  history: 'store_history',
  waiter: 'store_waiter',
  holder: 'store_holder',
  statistics: 'store_statistics',
};

/** The columns that hold times, and those that hold whole microseconds in every database. */
const TIMES = {
  lock: ['lock_time', 'expire_time'],
  waiter: ['alive_until'],
  holder: ['lock_time', 'expire_time', 'release_time'],
  history: ['event_time'],
  statistics: ['period'],
};
const MICROSECONDS = { lock: ['token'], waiter: ['ticket'], holder: ['token'] };

async function openMemory(options: OpenOptions = {}): Promise<OpenStore> {
  const store = new MemoryLockStore(options);
  return {
    store,
    desk: store.desk,
    queue: store.queue,
    history: store.history,
    letPass: (milliseconds) => store.advance(milliseconds),
    drop: () => store.close(),
  };
}

/**
 * A store over a database.
 * @param earlier an expression for the time in a column, so many milliseconds earlier
 */
const inDatabase =
  (storage: () => Promise<TestStorage>, earlier: (column: string, milliseconds: number) => string) =>
  async ({ clockTolerance }: OpenOptions = {}): Promise<OpenStore> => {
    const { options, drop } = await storage();
    const dataSource = await new DataSource(options() as DataSourceOptions).initialize();
    const database = databaseOf(dataSource);
    for (const statement of Object.values(database.schema.create(TABLES)).flat())
      await dataSource.query(statement);
    const store = await database.open(dataSource, {
      tables: TABLES,
      statementTimeout: 60_000,
      clockTolerance,
    });
    const { desk, history } = store;
    const queue = store.queue!;
    return {
      store: Object.assign(store, { queue }),
      desk,
      queue,
      history,
      async letPass(milliseconds) {
        for (const table of Object.keys(TIMES) as Array<keyof typeof TIMES>) {
          const times = TIMES[table].map((column) => `${column} = ${earlier(column, milliseconds)}`);
          const numbers = table in MICROSECONDS ? MICROSECONDS[table as keyof typeof MICROSECONDS] : [];
          const columns = numbers.map((column) => `${column} = ${column} - ${milliseconds * 1000}`);
          await dataSource.query(`UPDATE ${TABLES[table]} SET ${[...times, ...columns].join(', ')}`);
        }
      },
      async raiseToken(lockName, milliseconds) {
        const quoted = `'${lockName.replaceAll("'", "''")}'`;
        await dataSource.query(
          `UPDATE ${TABLES.lock} SET token = token + ${milliseconds * 1000} WHERE lock_name = ${quoted}`,
        );
      },
      async drop() {
        await store.close();
        await dataSource.destroy();
        await drop();
      },
    };
  };

const earlierMicroseconds = (column: string, milliseconds: number) => `${column} - ${milliseconds * 1000}`;

const openPostgres = inDatabase(
  postgresStorage,
  (column, milliseconds) => `${column} - ${milliseconds} * interval '1 millisecond'`,
);

/** PostgreSQL that tries each shortcut, or none, however seldom it was worth it: else a test's place among others decides whether it does. */
const openWithShortcuts =
  (areTried: boolean, { inCompany = false } = {}) =>
  async (options?: OpenOptions): Promise<OpenStore> => {
    const { isWorthTrying } = Shortcut.prototype;
    Shortcut.prototype.isWorthTrying = () => areTried;
    const opened = await openPostgres(options);
    return {
      ...opened,
      store: inCompany ? withCompany(opened.store) : opened.store,
      async drop() {
        Shortcut.prototype.isWorthTrying = isWorthTrying;
        await opened.drop();
      },
    };
  };

export const WITH_SHORTCUTS: StoreKind = {
  name: 'PostgreSQL, by its shortcuts',
  open: openWithShortcuts(true),
};

/** The ways by which PostgreSQL grants and ends leases. */
export const POSTGRES_WAYS: readonly StoreKind[] = [
  WITH_SHORTCUTS,
  {
    name: 'PostgreSQL, by its shortcuts for several locks',
    open: openWithShortcuts(true, { inCompany: true }),
  },
  { name: 'PostgreSQL, without shortcuts', open: openWithShortcuts(false) },
];

/** What must do the same, whatever it is. */
export const STORES: readonly StoreKind[] = [
  { name: 'memory', open: openMemory },
  { name: 'PostgreSQL', open: openPostgres },
  { name: 'SQLite', open: inDatabase(sqliteStorage, earlierMicroseconds) },
  ...(hasProgram('mariadbd', 'the stores on MariaDB', 'mariadb-server')
    ? [{ name: 'MariaDB', caseless: 'ẞ', open: inDatabase(mariadbStorage, earlierMicroseconds) }]
    : []),
  ...(NodeSqlite.isThere
    ? [{ name: 'the SQLite of Node.js', open: inDatabase(nodeSqliteStorage, earlierMicroseconds) }]
    : []),
];

/** Those whose data others can change, too. */
export const DATABASES = STORES.filter(({ open }) => open !== openMemory);

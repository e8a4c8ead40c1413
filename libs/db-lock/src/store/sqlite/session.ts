import { resolve } from 'node:path';
import { DataSource } from 'typeorm';
import type { BetterSqlite3DataSourceOptions } from 'typeorm/driver/better-sqlite3/BetterSqlite3DataSourceOptions.js';
import type { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { DbLockConfigurationError } from '../../lease/errors.js';
import { bareOptions } from '../bare-options.js';
import type { Parameters, Sqlite, SqliteStatement } from './driver.js';
import { isBusy } from './errors.js';

/**
 * Pages that the log may grow to before it is copied into the file. Locks of many names are on pages of their own: copied seldom, a page that was
 * written many times is copied once.
 */
const LOG_PAGES = 4_000;

/** Kilobytes of the file that a connection keeps in memory. */
const CACHE = 32_768;

/**
 * What holds whatever the application's own connections are set to: nothing waits inside SQLite, which would stop this process, and macOS is told to
 * sync the drive, too.
 */
const SETTINGS = `PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = ${LOG_PAGES}; PRAGMA cache_size = -${CACHE};
PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1`;

/**
 * How a transaction ends.
 * - `durable`: on the disk before it is answered, whatever happens to the machine
 * - `lazy`: with the next durable one. Until then, losing power may undo it; the end of this process does not
 */
export type Commit = 'durable' | 'lazy';

const SYNCHRONOUS: Record<Commit, string> = { durable: 'FULL', lazy: 'NORMAL' };

/** A file that is open. Each call is whole before anything else happens in this process. */
export class Session {
  readonly #statements = new Map<string, SqliteStatement>();
  #commit?: Commit;

  private constructor(
    private readonly source: DataSource,
    readonly file: string,
  ) {}

  /**
   * Opens the application's file once more: transactions of the application are none of ours.
   * @param file absolute: the process may change its directory
   * @throws DbLockConfigurationError when it can't keep a log
   */
  static async open(application: DataSource, file: string): Promise<Session> {
    const source = new DataSource({
      ...bareOptions(application.options as BetterSqlite3DataSourceOptions),
      database: file,
      timeout: 0,
      enableWAL: false,
      fileMustExist: true,
      verbose: undefined,
    });
    await source.initialize();
    const session = new Session(source, file);
    try {
      session.#prepareSession();
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** The file of an application's DataSource, from wherever the process runs. */
  static fileOf({ options }: DataSource): string {
    return resolve((options as BetterSqlite3DataSourceOptions).database);
  }

  transaction<Result>(commit: Commit, work: () => Result): Result {
    if (this.#commit !== commit) {
      // It takes effect when it is prepared, so it can't be kept prepared.
      this.#database.exec(`PRAGMA synchronous = ${SYNCHRONOUS[commit]}`);
      this.#commit = commit;
    }
    return this.#within('BEGIN IMMEDIATE', work);
  }

  /** Reads all at one moment, whoever writes meanwhile. */
  snapshot<Result>(work: () => Result): Result {
    return this.#within('BEGIN', work);
  }

  get(sql: string, parameters: Parameters = {}): unknown {
    return this.#with(sql, (statement) => statement.get(...spread(parameters)));
  }

  all(sql: string, parameters: Parameters = {}): unknown[] {
    return this.#with(sql, (statement) => statement.all(...spread(parameters)));
  }

  run(sql: string, parameters: Parameters = {}): number {
    return this.#with(sql, (statement) => Number(statement.run(...spread(parameters)).changes));
  }

  async close(): Promise<void> {
    if (this.source.isInitialized) await this.source.destroy();
  }

  /** A write-ahead log: readers and writers don't wait for each other, and a commit is one write. */
  #prepareSession(): void {
    this.#database.exec('PRAGMA busy_timeout = 0');
    const { journal_mode } = this.get('PRAGMA journal_mode = WAL') as { journal_mode: string };
    if (journal_mode !== 'wal')
      throw new DbLockConfigurationError(
        'dataSource',
        `${this.file} keeps no write-ahead log (its journal_mode stays "${journal_mode}"), which locks need.`,
      );
    this.#database.exec(SETTINGS);
  }

  /**
   * What begins and ends a transaction is not kept prepared: libsql 0.5 does not reset what failed, so a BEGIN that found the file busy would stay
   * under way, and no COMMIT succeeds beside it.
   */
  #within<Result>(begin: string, work: () => Result): Result {
    this.#database.exec(begin);
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Some errors have ended the transaction already. */
  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // there is none any more
    }
  }

  /**
   * A statement that failed is prepared anew: libsql 0.5 does not reset it, and it would fail with the same error from then on. One that had to wait
   * is not: it would count as under way for as long as it is there.
   */
  #with<Result>(sql: string, work: (statement: SqliteStatement) => Result): Result {
    try {
      return work(this.#prepared(sql));
    } catch (error) {
      if (!isBusy(error)) this.#statements.delete(sql);
      throw error;
    }
  }

  #prepared(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    statement.safeIntegers?.(false); // whatever the application has its own connections told
    this.#statements.set(sql, statement);
    return statement;
  }

  get #database(): Sqlite {
    return (this.source.driver as BetterSqlite3Driver).databaseConnection as Sqlite;
  }
}

const spread = (parameters: Parameters): readonly unknown[] =>
  Array.isArray(parameters) ? (parameters as readonly unknown[]) : [parameters];

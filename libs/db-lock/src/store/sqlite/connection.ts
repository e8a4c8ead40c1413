import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import type { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { monotonicNow } from '../../lease/clock.js';
import { DbLockConfigurationError } from '../../lease/errors.js';
import { bareOptions } from '../bare-options.js';
import type { Parameters, Sqlite, SqliteStatement } from './driver.js';
import { isBusy, isRefusal } from './errors.js';

/** Between two tries to write while another process does, in milliseconds: each pause is longer than the one before. */
const PAUSE = { first: 1, growth: 1.5, longest: 10 };

/** So many tries follow one another without a pause: most transactions take less than a millisecond. */
const TRIES_AT_ONCE = 3;

/**
 * How a transaction ends.
 * - `durable`: on the disk before it is answered, whatever happens to the machine
 * - `lazy`: with the next durable one. Until then, losing power may undo it; the end of this process does not
 */
export type Commit = 'durable' | 'lazy';

const SYNCHRONOUS: Record<Commit, string> = { durable: 'FULL', lazy: 'NORMAL' };

/**
 * A connection of our own to the application's file: transactions of the application are none of ours. Each call is one transaction, whole
 * before anything else happens in this process, so none holds the file while it waits. A connection that failed is thrown away; the next
 * call opens another.
 */
export class Connection {
  #source: DataSource;
  #statements = new Map<string, SqliteStatement>();
  #commit?: Commit;
  #broken = false;
  #reopening?: Promise<void>;
  /** Those who wait to write, one behind the other. */
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  private constructor(
    private readonly application: DataSource,
    /** The most milliseconds that a call waits for other processes. */
    private readonly patience: number,
  ) {
    this.#source = this.#newSource();
  }

  /** @throws DbLockConfigurationError when the file can't hold locks */
  static async open(application: DataSource, patience: number): Promise<Connection> {
    const connection = new Connection(application, patience);
    await connection.#source.initialize();
    try {
      await connection.#patiently(() => connection.#logAhead());
    } catch (error) {
      await connection.#source.destroy();
      throw error;
    }
    return connection;
  }

  /** Microseconds since 1970, by this host's clock: all processes that use the file run here. */
  static now(): number {
    return Date.now() * 1000;
  }

  /** The file that it is connected to. */
  get file(): string {
    return (this.#source.driver as BetterSqlite3Driver).options.database;
  }

  /**
   * Reads and writes in one transaction, in which nobody else does.
   * @param work gets the time, read when nobody else could write any more
   */
  async write<Result>(commit: Commit, work: (now: number) => Result): Promise<Result> {
    if (this.#waiting === 0 && !this.#broken) {
      try {
        return this.#transaction(commit, work);
      } catch (error) {
        if (!isBusy(error)) throw this.#failed(error);
      }
    }
    this.#waiting++;
    const turn = this.#line.then(() => this.#patiently(() => this.#transaction(commit, work)));
    this.#line = turn.then(
      () => this.#waiting--,
      () => this.#waiting--,
    );
    return turn;
  }

  /** Reads all at one moment, whoever writes meanwhile. */
  read<Result>(work: (now: number) => Result): Promise<Result> {
    return this.#patiently(() => this.#between('BEGIN', work));
  }

  get<Row>(sql: string, parameters: Parameters = {}): Row | undefined {
    return this.#with(sql, (statement) => statement.get(parameters) as Row | undefined);
  }

  all<Row>(sql: string, parameters: Parameters = {}): Row[] {
    return this.#with(sql, (statement) => statement.all(parameters) as Row[]);
  }

  /** How many rows it changed. */
  run(sql: string, parameters: Parameters = {}): number {
    return this.#with(sql, (statement) => Number(statement.run(parameters).changes));
  }

  async close(): Promise<void> {
    await this.#line;
    await this.#source.destroy();
  }

  /** Tries again while another process keeps the file locked, and lets this one go on meanwhile. */
  async #patiently<Result>(work: () => Result): Promise<Result> {
    const deadline = monotonicNow() + this.patience;
    let pause = PAUSE.first;
    for (let tries = 1; ; tries++) {
      try {
        if (this.#broken) await this.#reopen();
        return work();
      } catch (error) {
        if (!isBusy(error)) throw this.#failed(error);
        if (monotonicNow() > deadline)
          throw new Error(`Another process has kept ${this.file} locked for more than ${this.patience} ms.`, {
            cause: error,
          });
      }
      if (tries < TRIES_AT_ONCE) await turn();
      else {
        await sleep(pause);
        pause = Math.min(pause * PAUSE.growth, PAUSE.longest);
      }
    }
  }

  #transaction<Result>(commit: Commit, work: (now: number) => Result): Result {
    if (this.#commit !== commit) {
      // It takes effect when it is prepared, so it can't be kept prepared.
      this.#database.exec(`PRAGMA synchronous = ${SYNCHRONOUS[commit]}`);
      this.#commit = commit;
    }
    return this.#between('BEGIN IMMEDIATE', work);
  }

  #between<Result>(begin: string, work: (now: number) => Result): Result {
    this.#run(begin);
    try {
      const result = work(Connection.now());
      this.#run('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Some errors have ended the transaction already. */
  #rollBack(): void {
    try {
      this.#run('ROLLBACK');
    } catch {
      // there is none any more
    }
  }

  /** What neither the data nor other processes are to blame for may be the connection's fault. */
  #failed(error: unknown): unknown {
    this.#broken ||= !isRefusal(error);
    return error;
  }

  /**
   * Begins or ends a transaction. Not kept prepared: libsql 0.5 does not reset what failed, so a BEGIN that found the file busy would stay under
   * way, and no COMMIT succeeds beside it.
   */
  #run(sql: string): void {
    this.#database.exec(sql);
  }

  /** A statement that failed is prepared anew: libsql 0.5 does not reset it, and it would fail with the same error from then on. */
  #with<Result>(sql: string, work: (statement: SqliteStatement) => Result): Result {
    try {
      return work(this.#prepared(sql));
    } catch (error) {
      this.#statements.delete(sql);
      throw error;
    }
  }

  #prepared(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  get #database(): Sqlite {
    return (this.#source.driver as BetterSqlite3Driver).databaseConnection as Sqlite;
  }

  #newSource(): DataSource {
    const { options } = this.application;
    // Waiting for others inside SQLite would stop this process: `timeout` is how long it does.
    return new DataSource({ ...bareOptions(options), timeout: 0 } as typeof options);
  }

  /** Keeps a write-ahead log: readers and writers don't wait for each other, and a commit is one write. */
  #logAhead(): void {
    const { journal_mode } = this.get<{ journal_mode: string }>('PRAGMA journal_mode = WAL')!;
    if (journal_mode !== 'wal')
      throw new DbLockConfigurationError(
        'dataSource',
        `${this.file} keeps no write-ahead log (its journal_mode stays "${journal_mode}"), which locks need.`,
      );
  }

  /** Whoever comes meanwhile waits for the same new connection. */
  #reopen(): Promise<void> {
    return (this.#reopening ??= this.#openAnew().finally(() => (this.#reopening = undefined)));
  }

  async #openAnew(): Promise<void> {
    await this.#source.destroy().catch(() => undefined);
    this.#statements = new Map();
    this.#commit = undefined;
    this.#source = this.#newSource();
    await this.#source.initialize();
    this.#broken = false;
  }
}

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { monotonicNow } from '../../lease/clock.js';
import type { Parameters } from './driver.js';
import { isBusy, isOfSqlite, isRefusal } from './errors.js';
import { Session, type Commit } from './session.js';

/** Between two tries while the file is locked, in milliseconds: each pause is longer than the one before. */
const PAUSE = { first: 1, growth: 1.5, longest: 10 };

/** So many tries follow one another without a pause: most transactions take less than a millisecond. */
const TRIES_AT_ONCE = 3;

/**
 * A connection of our own to the application's file. Each call is one transaction, whole before anything else happens in this process, so none
 * holds the file while it waits. Where the file is locked, it is tried again, and this process goes on meanwhile. A session that failed is closed; the
 * next call opens another.
 */
export class Connection {
  #session?: Session;
  #opening?: Promise<void>;
  #closed = false;
  /** Those who wait to write, one behind the other. */
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Which session it is: a number that grows. */
  generation = 0;

  private constructor(
    private readonly application: DataSource,
    readonly file: string,
    /** The most milliseconds that a call waits for others who use the file. */
    private readonly patience: number,
  ) {}

  /** @throws DbLockConfigurationError when the file can't hold locks */
  static async open(application: DataSource, patience: number): Promise<Connection> {
    const connection = new Connection(application, Session.fileOf(application), patience);
    await connection.#patiently(() => undefined);
    return connection;
  }

  /** Microseconds since 1970, by this host's clock: all processes that use the file run here. */
  static now(): number {
    return Date.now() * 1000;
  }

  /**
   * Reads and writes in one transaction, in which nobody else does.
   * @param work gets the time, read when nobody else could write any more
   */
  async write<Result>(commit: Commit, work: (now: number) => Result): Promise<Result> {
    const act = (session: Session) => session.transaction(commit, () => work(Connection.now()));
    if (this.#waiting === 0 && this.#session) {
      try {
        return act(this.#session);
      } catch (error) {
        if (!isBusy(error)) throw this.#failed(error);
      }
    }
    this.#waiting++;
    const deadline = monotonicNow() + this.patience;
    const turn = this.#line.then(() => this.#patiently(act, deadline));
    this.#line = turn.then(
      () => this.#waiting--,
      () => this.#waiting--,
    );
    return turn;
  }

  /** Reads all at one moment, whoever writes meanwhile. */
  read<Result>(work: (now: number) => Result): Promise<Result> {
    return this.#patiently((session) => session.snapshot(() => work(Connection.now())));
  }

  /** Within a transaction, as are the next two. */
  get<Row>(sql: string, parameters?: Parameters): Row | undefined {
    return this.#session!.get(sql, parameters) as Row | undefined;
  }

  all<Row>(sql: string, parameters?: Parameters): Row[] {
    return this.#session!.all(sql, parameters) as Row[];
  }

  /** How many rows it changed. */
  run(sql: string, parameters?: Parameters): number {
    return this.#session!.run(sql, parameters);
  }

  /** Whoever still comes then is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#line;
    await this.#opening?.catch(() => undefined);
    await this.#end();
  }

  /** @param deadline until when it is tried again while the file is locked */
  async #patiently<Result>(
    act: (session: Session) => Result,
    deadline = monotonicNow() + this.patience,
  ): Promise<Result> {
    let pause = PAUSE.first;
    for (let tries = 1; ; tries++) {
      try {
        if (!this.#session) await this.#open();
        if (this.#session) return act(this.#session); // unless somebody else has found it broken meanwhile
      } catch (error) {
        if (!isBusy(error)) throw this.#failed(error);
        if (monotonicNow() > deadline)
          throw new Error(
            `Somebody, perhaps a transaction of this application, has kept ${this.file} locked for more than ${this.patience} ms.`,
            { cause: error },
          );
      }
      if (tries < TRIES_AT_ONCE) await turn();
      else {
        await sleep(pause);
        pause = Math.min(pause * PAUSE.growth, PAUSE.longest);
      }
    }
  }

  /** One for all who wait for it. */
  #open(): Promise<void> {
    if (this.#closed) throw new Error(`The connection to ${this.file} is closed.`);
    return (this.#opening ??= this.#openNow().finally(() => (this.#opening = undefined)));
  }

  async #openNow(): Promise<void> {
    const session = await Session.open(this.application, this.file);
    this.generation++;
    this.#session = session;
  }

  /** What neither the data nor others are to blame for may be the session's fault. */
  #failed(error: unknown): unknown {
    if (isOfSqlite(error) && !isRefusal(error)) void this.#end();
    return error;
  }

  async #end(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close().catch(() => undefined); // what is broken may not even close
  }
}

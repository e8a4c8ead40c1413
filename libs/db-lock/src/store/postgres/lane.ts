import type { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { monotonicNow } from '../../lease/clock.js';
import { isRefusal } from './errors.js';
import { sessionSettings, transactionStart, type Purpose, type SessionTimeouts } from './sessions.sql.js';
import type { Statement } from './fragments.sql.js';
import type { SessionKind } from './session-kind.js';

interface Result<Row> {
  rows: Row[];
}

/** A statement, named or not, and its parameters. */
type Query = Partial<Statement> & { values?: readonly unknown[] };

/** What we use of a node-pg client. */
interface Client {
  query<Row>(statement: object | string): Promise<Result<Row>>;
  on(event: 'notice', listener: (notice: Notice) => void): void;
  on(event: 'error' | 'end', listener: (error?: Error) => void): void;
  off: Client['on'];
}

interface Notice {
  severity?: string;
  message?: string;
}

interface Connection {
  client: Client;
  /** Gives it back to the pool, or throws it away when it is broken. */
  release: (error?: Error) => void;
  broken?: Error;
  warning?: string;
}

export interface LaneOptions {
  purpose: Purpose;
  timeouts: SessionTimeouts;
  sessions: SessionKind;
  /** One of several for its purpose, needed from time to time: it gives its connection back when it has nothing to do. */
  spare?: boolean;
  /** Milliseconds that a statement may stand in line; without it, whoever asks sees to that. */
  maxAge?: number;
}

/** Runs one statement of a transaction. */
export type Run = <Row>(statement: Statement, values: readonly unknown[]) => Promise<Row[]>;

/** Milliseconds that the server gets to give a statement up by itself before the connection is given up. */
const GRACE = 1000;

/**
 * A connection of our own, outside of the application's pool and of its transactions: one statement or transaction at a time,
 * each committed by itself, first come first served. A connection that failed is thrown away; the next statement opens another.
 */
export class Lane {
  #connection?: Connection;
  #tail: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closed = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly options: LaneOptions,
  ) {}

  /** How many statements and transactions are under way or stand in line. */
  get pending(): number {
    return this.#pending;
  }

  /** Runs one statement. Rejects when the server refuses it, and when its outcome is unknown. */
  run<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.#inLine((connection) =>
      this.options.sessions === 'pooled'
        ? this.#transact(connection, (run) => run<Row>(statement, values))
        : this.#rowsOf<Row>(connection, { ...statement, values }),
    );
  }

  /**
   * Runs several statements in one transaction, one after the other. Rejects when the server refuses one, which undoes them all, and when
   * the outcome is unknown.
   * @param isKept whether they are to be committed, or else undone; by default, they are
   */
  transact<Result>(
    work: (run: Run) => Promise<Result>,
    isKept?: (result: Result) => boolean,
  ): Promise<Result> {
    return this.#inLine((connection) => this.#transact(connection, work, isKept));
  }

  /** Gives the connection back when its line is empty; whoever still comes then borrows one for a statement. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    this.#connection?.release();
    this.#connection = undefined;
  }

  #inLine<Result>(ask: (connection: Connection) => Promise<Result>): Promise<Result> {
    const asked = monotonicNow();
    const askNow = () => this.#askNow(ask, asked);
    const turn = this.#pending++ === 0 && !this.#closed ? askNow() : this.#tail.then(askNow);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #askNow<Result>(ask: (connection: Connection) => Promise<Result>, asked: number): Promise<Result> {
    try {
      const { maxAge = Infinity } = this.options;
      if (monotonicNow() - asked > maxAge)
        throw new Error(`The statement stood in line for more than ${maxAge} ms.`);
      const connection = this.#usable ?? (await this.#connect());
      return await this.#askOn(connection, ask);
    } finally {
      this.#pending--;
    }
  }

  async #askOn<Result>(
    connection: Connection,
    ask: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    try {
      connection.warning = undefined;
      const result = await ask(connection);
      if (connection.warning !== undefined) throw new UnconfirmedCommitError(connection.warning);
      return result;
    } catch (error) {
      if (!isRefusal(error)) connection.broken ??= error as Error;
      throw withoutRow(error);
    } finally {
      this.#putBack(connection);
    }
  }

  /** With settings that end with it: behind a pooler it has a session of its own, where no statement is there to be named. */
  async #transact<Result>(
    connection: Connection,
    work: (run: Run) => Promise<Result>,
    isKept: (result: Result) => boolean = () => true,
  ): Promise<Result> {
    const { purpose, timeouts, sessions } = this.options;
    await this.#query(connection, { text: transactionStart(purpose, timeouts) });
    try {
      const result = await work(({ name, text }, values) =>
        this.#rowsOf(connection, sessions === 'pooled' ? { text, values } : { name, text, values }),
      );
      await this.#query(connection, { text: isKept(result) ? 'COMMIT' : 'ROLLBACK' });
      return result;
    } catch (error) {
      if (isRefusal(error)) await this.#query(connection, { text: 'ROLLBACK' });
      throw error;
    }
  }

  async #rowsOf<Row>(connection: Connection, query: Query): Promise<Row[]> {
    return (await this.#query<Row>(connection, query)).rows;
  }

  #query<Row>({ client }: Connection, query: Query): Promise<Result<Row>> {
    return client.query({ ...query, query_timeout: this.options.timeouts.statement + GRACE });
  }

  /** The connection that is there, unless it is broken. */
  get #usable(): Connection | undefined {
    return this.#connection?.broken ? undefined : this.#connection;
  }

  async #connect(): Promise<Connection> {
    this.#connection?.release(this.#connection.broken);
    this.#connection = undefined;

    const [client, release] = (await (this.dataSource.driver as PostgresDriver).obtainMasterConnection()) as [
      Client,
      Connection['release'],
    ];
    const connection: Connection = { client, release };
    watch(connection);

    if (this.options.sessions === 'own')
      try {
        await this.#query(connection, { text: sessionSettings(this.options.purpose, this.options.timeouts) });
      } catch (error) {
        connection.release(error as Error);
        throw error;
      }
    this.#connection = connection;
    return connection;
  }

  #putBack(connection: Connection): void {
    const spared = (this.options.spare || this.#closed) && this.#pending === 1;
    if (!connection.broken && !spared) return;
    connection.release(connection.broken);
    if (this.#connection === connection) this.#connection = undefined;
  }
}

/** Notes what the connection tells unasked, for as long as it is ours. */
function watch(connection: Connection): void {
  const { client, release } = connection;
  const breakOff = (error?: Error) => {
    connection.broken ??= error ?? new Error('The connection has ended.');
  };
  const warn = ({ severity, message }: Notice) => {
    if (severity === 'WARNING') connection.warning = message;
  };
  client.on('error', breakOff);
  client.on('end', breakOff);
  client.on('notice', warn);
  connection.release = (error) => {
    release(error);
    if (error) return; // It may still tell why it ends.
    client.off('error', breakOff);
    client.off('end', breakOff);
    client.off('notice', warn);
  };
}

/**
 * The server warned while it committed. It does so when somebody cancels the wait for a synchronous standby: the commit
 * is reported as done, although the standby may not have it. So its outcome is unknown.
 */
export class UnconfirmedCommitError extends Error {}

/** PostgreSQL repeats the row that a constraint refuses, and with it the key to a lease, which no log may show. */
function withoutRow(error: unknown): unknown {
  if (error instanceof Error && 'detail' in error) error.detail = undefined;
  return error;
}

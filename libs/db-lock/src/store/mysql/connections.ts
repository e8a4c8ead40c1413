import { DataSource, type DataSourceOptions } from 'typeorm';
import type { MysqlDriver } from 'typeorm/driver/mysql/MysqlDriver.js';
import { bareOptions } from '../bare-options.js';
import { monotonicNow } from '../../lease/clock.js';
import { RolledBackError } from './errors.js';
import { isMariadb, serverVariables } from './server-check.js';
import { kill, sessionSettings, type Purpose, type SessionTimeouts } from './sessions.sql.js';
import type { Packet } from './fragments.sql.js';

/**
 * The most connections of each purpose. One is kept each, once it was needed; more are there only while packets of
 * that purpose overlap, such as a renewal and a grant, or a slow one and its successors.
 */
export const CONNECTIONS: Record<Purpose, number> = {
  acquire: 4,
  release: 2,
  queue: 1,
  look: 1,
  act: 1,
  desk: 2,
};

/** And one that ends what another still runs. */
const ALL_CONNECTIONS = Object.values(CONNECTIONS).reduce((sum, most) => sum + most, 1);

/** Milliseconds that the server gets to give a statement up by itself before the connection is given up. */
const GRACE = 1_000;

/** What TypeORM has to know of a MySQL or MariaDB. */
export type MysqlOptions = Extract<DataSourceOptions, { type: 'mysql' | 'mariadb' }>;

/** What we use of a mysql2 connection. */
interface Client {
  readonly threadId: number | null;
  query(options: { sql: string }, done: (error: Error | null, results: unknown) => void): void;
  on(event: 'error' | 'end', listener: (error?: Error) => void): void;
  release(): void;
  destroy(): void;
}

/** Rows of each statement of a packet that tells any, in their order. */
export type Answer = ReadonlyArray<readonly unknown[]>;

/** A connection of ours, with a session prepared for our statements. */
export class Connection {
  /** Why it can't be used any more. */
  broken?: Error;

  constructor(private readonly client: Client) {
    const breakOff = (error?: Error) => {
      this.broken ??= error ?? new Error('The connection has ended.');
    };
    client.on('error', breakOff);
    client.on('end', breakOff);
  }

  get id(): number | null {
    return this.client.threadId;
  }

  /**
   * Sends a packet. Rejects with a TookTooLongError when there is no answer in time: then the server may still be at it; and with an error, too,
   * where not each statement has its answer: what was done is unknown then.
   */
  async send(packet: Packet, timeout: number): Promise<Answer> {
    const statements = witnessed(packet);
    const sql = statements.join(';\n');
    const begun = monotonicNow();
    const results = await new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new TookTooLongError(Math.round(monotonicNow() - begun))),
        timeout,
      );
      this.client.query({ sql }, (error, answer) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(answer);
      });
    });
    const all = statements.length === 1 ? [results] : (results as unknown[]);
    if (all.length !== statements.length)
      throw new Error('The database has answered a part of what it was sent.');
    if (wasRolledBack(statements, all)) throw new RolledBackError();
    return all.filter((rows): rows is readonly unknown[] => Array.isArray(rows));
  }

  /** Gives it back to the pool, or throws it away when it is broken. */
  release(): void {
    if (this.broken) this.client.destroy();
    else this.client.release();
  }
}

const BEGIN = 'START TRANSACTION';
const COMMIT = 'COMMIT';

/** Tells, as each statement does that tells no rows, whether it was part of a transaction. */
const WITNESS = 'DO 0';

/**
 * The statements, with a witness behind the last one of a transaction.
 *
 * A node of a Galera cluster gives a transaction up when another node was faster. MariaDB says so with the next statement, but not where that
 * comes upon it at the end of one that has told its rows: it goes on as if nothing had been, each statement by itself.
 */
function witnessed(packet: Packet): Packet {
  const end = packet.lastIndexOf(COMMIT);
  if (end >= 0) return packet.toSpliced(end, 0, WITNESS);
  return packet.includes(BEGIN) ? [...packet, WITNESS] : packet;
}

/** What the server says with a statement that tells no rows: the flag for being in a transaction. */
const IN_TRANSACTION = 1;

/** Whether a transaction was over before its end. */
function wasRolledBack(statements: Packet, results: readonly unknown[]): boolean {
  const end = statements.lastIndexOf(COMMIT);
  const begin = statements.lastIndexOf(BEGIN);
  if (end < 0 && begin < 0) return false;
  return results
    .slice(Math.max(begin, 0), end < 0 ? undefined : end)
    .some(
      (result) =>
        !Array.isArray(result) && ((result as { serverStatus: number }).serverStatus & IN_TRANSACTION) === 0,
    );
}

/** No answer came in time. */
export class TookTooLongError extends Error {
  constructor(milliseconds: number) {
    super(`The database did not answer within ${milliseconds} ms.`);
  }
}

/**
 * A few connections of our own, made as the application's DataSource makes its: the application's pool may be empty or its connection in a
 * transaction, and a lock must not wait for either. Only ours take several statements in one packet.
 */
export class Connections {
  readonly #prepared = new WeakMap<Client, Connection>();

  private constructor(
    private readonly dataSource: DataSource,
    private readonly settings: Packet,
    private readonly timeouts: SessionTimeouts,
    /** The most bytes that the server takes in one packet. */
    readonly maxPacket: number,
  ) {}

  static async open(dataSource: DataSource, timeouts: SessionTimeouts): Promise<Connections> {
    const own = new DataSource(ownOptions(dataSource.options as MysqlOptions, timeouts.statement));
    await own.initialize();
    try {
      const variables = await serverVariables((sql) => own.query(sql));
      return new Connections(
        own,
        sessionSettings(isMariadb(variables), timeouts),
        timeouts,
        Number(variables.get('max_allowed_packet')),
      );
    } catch (error) {
      await own.destroy();
      throw error;
    }
  }

  /** Milliseconds after which a packet is given up. */
  get patience(): number {
    return this.timeouts.statement + GRACE;
  }

  /** A connection that nobody else has, until it is released. */
  async take(): Promise<Connection> {
    const client = (await (this.dataSource.driver as MysqlDriver).obtainMasterConnection()) as Client;
    const known = this.#prepared.get(client);
    if (known) return known;
    const connection = new Connection(client);
    try {
      await connection.send(this.settings, this.patience);
    } catch (error) {
      connection.broken ??= error as Error;
      connection.release();
      throw error;
    }
    this.#prepared.set(client, connection);
    return connection;
  }

  /** Ends what a connection still runs, so that it has no effect later; as far as that can be done. */
  async end({ id }: Connection): Promise<void> {
    if (id === null) return;
    const other = await this.take();
    try {
      await other.send([kill(id)], this.patience);
    } catch (error) {
      other.broken ??= error as Error; // it may be at it still, or have ended itself
      throw error;
    } finally {
      other.release();
    }
  }

  close(): Promise<void> {
    return this.dataSource.destroy();
  }
}

function ownOptions(options: MysqlOptions, connectTimeout: number): DataSourceOptions {
  return {
    ...bareOptions(options),
    connectTimeout: options.connectTimeout ?? connectTimeout,
    connectorPackage: 'mysql2', // TypeORM 0.3 knows another one
    extra: {
      ...(options.extra as object | undefined),
      multipleStatements: true,
      charset: 'utf8mb4',
      timezone: 'Z',
      supportBigNumbers: true,
      bigNumberStrings: true,
      decimalNumbers: false,
      dateStrings: false,
      jsonStrings: false,
      rowsAsArray: false,
      namedPlaceholders: false,
      nestTables: false,
      typeCast: true,
      flags: ['-FOUND_ROWS'],
      resetOnRelease: false, // a session is prepared once
      connectionLimit: ALL_CONNECTIONS,
      maxIdle: ALL_CONNECTIONS,
      waitForConnections: true,
      queueLimit: 0,
    },
  } as DataSourceOptions;
}

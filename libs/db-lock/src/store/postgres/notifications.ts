import { createHash, randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { TableNames } from '../table-names.js';
import type { SessionKind } from './session-kind.js';
import type { WakeUpMode } from '../wait-queue.js';

/** What we use of a node-pg client. */
interface Client {
  query(statement: object): Promise<unknown>;
  on(event: 'notification', listener: (message: Notification) => void): void;
  on(event: 'error' | 'end', listener: () => void): void;
  removeListener(event: string, listener: (...args: never[]) => void): void;
}

interface Notification {
  channel: string;
  payload?: string;
}

interface Connection {
  client: Client;
  release: (error?: Error) => void;
}

export interface NotificationHandlers {
  onNotification(payload: string): void;
  onMode(mode: WakeUpMode): void;
  /** Sends a notification, by another connection. */
  notify(payload: string): Promise<void>;
}

/** Milliseconds that our own notification may take to come back, before notifications count as not arriving. */
const ECHO_TIMEOUT = 2_000;

/** How often it is checked, in ms, whether notifications still arrive; and whether they do by now. */
const CHECK_INTERVAL = 15_000;

/** On which a feature's servers wake each other: one a table, so that features don't. */
export const channelOf = ({ lock }: Pick<TableNames, 'lock'>) =>
  `db_lock_${createHash('sha256').update(lock).digest('hex').slice(0, 32)}`;

/**
 * Hears a database's notifications, on one connection that does nothing else. Whether they arrive is tried, not
 * guessed: behind PgBouncer in transaction mode LISTEN succeeds and nothing ever comes.
 */
export class Notifications {
  readonly channel: string;
  #handlers?: NotificationHandlers;
  #connection?: Connection;
  #mode?: WakeUpMode;
  #timer?: NodeJS.Timeout;
  #checking?: Promise<void>;
  #echo?: { payload: string; heard: () => void };
  #stopped = false;

  constructor(
    private readonly dataSource: DataSource,
    tables: TableNames,
    private readonly sessions: SessionKind,
  ) {
    this.channel = channelOf(tables);
  }

  /** Listens from now on; connects again when the connection breaks. */
  start(handlers: NotificationHandlers): void {
    if (this.#handlers) return;
    this.#handlers = handlers;
    // Behind a pooler, LISTEN succeeds, nothing ever comes, and somebody else's session listens.
    if (this.sessions === 'pooled') this.#changeMode('poll');
    else this.#check();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#checking;
    this.#disconnect();
  }

  #check(): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#checking ??= this.#checkNow().finally(() => {
      this.#checking = undefined;
      if (this.#stopped) return;
      this.#timer = setTimeout(() => this.#check(), CHECK_INTERVAL);
      this.#timer.unref();
    });
  }

  async #checkNow(): Promise<void> {
    let arrives = false;
    try {
      await this.#connect();
      arrives = await this.#hearsItself();
    } catch {
      // no connection, or a database without LISTEN
    }
    if (!arrives) this.#disconnect(new Error('Notifications do not arrive.'));
    this.#changeMode(arrives ? 'notify' : 'poll');
  }

  async #hearsItself(): Promise<boolean> {
    const payload = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    const heard = new Promise<boolean>((resolve) => {
      this.#echo = { payload, heard: () => resolve(true) };
      timer = setTimeout(() => resolve(false), ECHO_TIMEOUT);
    });
    try {
      await this.#handlers!.notify(payload);
      return await heard;
    } finally {
      clearTimeout(timer);
      this.#echo = undefined;
    }
  }

  #changeMode(mode: WakeUpMode): void {
    if (this.#mode === mode || this.#stopped) return;
    this.#mode = mode;
    this.#handlers!.onMode(mode);
  }

  async #connect(): Promise<void> {
    if (this.#connection) return;
    const driver = this.dataSource.driver as PostgresDriver;
    const [client, release] = (await driver.obtainMasterConnection()) as [Client, Connection['release']];
    client.on('notification', this.#hear);
    client.on('error', this.#breakOff);
    client.on('end', this.#breakOff);
    try {
      await client.query({ text: `LISTEN ${this.channel}`, query_timeout: ECHO_TIMEOUT });
    } catch (error) {
      client.removeListener('notification', this.#hear);
      release(error as Error);
      throw error;
    }
    this.#connection = { client, release };
  }

  readonly #hear = ({ channel, payload = '' }: Notification): void => {
    if (channel !== this.channel) return;
    if (payload === this.#echo?.payload) this.#echo.heard();
    else if (payload.includes(' ')) this.#handlers!.onNotification(payload);
  };

  readonly #breakOff = (): void => {
    if (!this.#connection) return;
    this.#disconnect(new Error('The connection has ended.'));
    this.#changeMode('poll');
    setTimeout(() => this.#check(), 100).unref();
  };

  #disconnect(error?: Error): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (!connection) return;
    connection.client.removeListener('notification', this.#hear);
    connection.release(error ?? new Error('It listens, and is of no use to others.'));
  }
}

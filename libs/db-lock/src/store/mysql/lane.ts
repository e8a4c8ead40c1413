import { monotonicNow } from '../../lease/clock.js';
import { Lanes as LanesOf } from '../lanes.js';
import { TookTooLongError, type Answer, type Connection, type Connections } from './connections.js';
import { isRefusal, withoutPacket } from './errors.js';
import type { Packet } from './fragments.sql.js';

export interface LaneOptions {
  /** One of several for its purpose, needed from time to time: it gives its connection back when it has nothing to do. */
  spare: boolean;
  /** Milliseconds that a packet may stand in line; without it, whoever asks sees to that. */
  maxAge?: number;
}

/** What ends a transaction that an error has left open: those before the failed statement still hold. */
const ROLLBACK: Packet = ['ROLLBACK'];

/**
 * A connection of our own, outside of the application's pool and of its transactions: one packet at a time, first come first served. One that
 * failed is thrown away; the next packet opens another.
 */
export class Lane {
  #connection?: Connection;
  #tail: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #closed = false;

  constructor(
    private readonly connections: Connections,
    private readonly options: LaneOptions,
  ) {}

  /** How many packets are under way or stand in line. */
  get pending(): number {
    return this.#pending;
  }

  /** Runs one packet. Rejects when the server refuses it, which then has no effect, and when its outcome is unknown. */
  run(packet: Packet): Promise<Answer> {
    const asked = monotonicNow();
    const runNow = () => this.#runNow(packet, asked);
    const turn = this.#pending++ === 0 && !this.#closed ? runNow() : this.#tail.then(runNow);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** Gives the connection back when its line is empty; whoever still comes then borrows one for a packet. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    this.#connection?.release();
    this.#connection = undefined;
  }

  async #runNow(packet: Packet, asked: number): Promise<Answer> {
    try {
      const { maxAge = Infinity } = this.options;
      if (monotonicNow() - asked > maxAge)
        throw new Error(`The statement stood in line for more than ${maxAge} ms.`);
      return await this.#runOn(await this.#connect(), packet);
    } finally {
      this.#pending--;
    }
  }

  async #runOn(connection: Connection, packet: Packet): Promise<Answer> {
    try {
      return await connection.send(packet, this.connections.patience);
    } catch (error) {
      if (isRefusal(error)) await this.#rollBack(connection);
      else connection.broken ??= error as Error;
      if (error instanceof TookTooLongError) void this.connections.end(connection).catch(() => undefined);
      throw withoutPacket(error);
    } finally {
      this.#putBack(connection);
    }
  }

  async #rollBack(connection: Connection): Promise<void> {
    try {
      await connection.send(ROLLBACK, this.connections.patience);
    } catch (error) {
      connection.broken ??= error as Error;
    }
  }

  /** The connection that is there, unless it is broken; else another one. */
  async #connect(): Promise<Connection> {
    if (this.#connection && !this.#connection.broken) return this.#connection;
    this.#connection?.release();
    this.#connection = undefined;
    return (this.#connection = await this.connections.take());
  }

  #putBack(connection: Connection): void {
    const spared = (this.options.spare || this.#closed) && this.#pending === 1;
    if (!connection.broken && !spared) return;
    connection.release();
    if (this.#connection === connection) this.#connection = undefined;
  }
}

/** Lanes of one purpose. */
export class Lanes extends LanesOf<Lane> {
  constructor(connections: Connections, most: number, maxAge?: number) {
    super((spare) => new Lane(connections, { spare, maxAge }), most);
  }

  /** Runs one packet. Rejects when the server refuses it, and when its outcome is unknown. */
  async run<Told extends ReadonlyArray<readonly unknown[]>>(packet: Packet): Promise<Told> {
    return (await this.next.run(packet)) as Told;
  }
}

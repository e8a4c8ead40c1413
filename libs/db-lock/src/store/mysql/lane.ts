import { monotonicNow } from '../../lease/clock.js';
import { Lanes as LanesOf } from '../lanes.js';
import { TookTooLongError, type Answer, type Connection, type Connections } from './connections.js';
import { isRefusal, withoutPacket } from './errors.js';
import type { Packet } from './fragments.sql.js';
import { WAIT_AS_USUAL, waitBriefly } from './sessions.sql.js';

export interface LaneOptions {
  /** One of several for its purpose, needed from time to time: it gives its connection back when it has nothing to do. */
  spare: boolean;
  /** Milliseconds that a packet may stand in line; without it, whoever asks sees to that. */
  maxAge?: number;
}

/** What ends a transaction that an error has left open: those before the failed statement still hold. */
const ROLLBACK: Packet = ['ROLLBACK', WAIT_AS_USUAL];

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
    return this.#inTurn((connection) => connection.send(packet, this.connections.patience));
  }

  /**
   * Runs a transaction of two packets, between which nobody else uses the connection. Rejects as `run` does.
   * @param begin begins it
   * @param decide makes the packet that ends it of what was told; without one, it is rolled back
   */
  transact(begin: Packet, decide: (told: Answer) => Packet | undefined): Promise<void> {
    const { patience } = this.connections;
    return this.#inTurn(async (connection) => {
      const told = await connection.send([waitBriefly(patience), ...begin], patience);
      const end = decide(told);
      await connection.send(end ? [WAIT_AS_USUAL, ...end] : ROLLBACK, patience);
    });
  }

  #inTurn<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const asked = monotonicNow();
    const runNow = () => this.#runNow(work, asked);
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

  async #runNow<Result>(work: (connection: Connection) => Promise<Result>, asked: number): Promise<Result> {
    try {
      const { maxAge = Infinity } = this.options;
      if (monotonicNow() - asked > maxAge)
        throw new Error(`The statement stood in line for more than ${maxAge} ms.`);
      return await this.#runOn(await this.#connect(), work);
    } finally {
      this.#pending--;
    }
  }

  async #runOn<Result>(
    connection: Connection,
    work: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work(connection);
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

  /** Runs a transaction of two packets: the second is made of what the first has told; without one, it is rolled back. */
  transact<Told extends ReadonlyArray<readonly unknown[]>>(
    begin: Packet,
    decide: (told: Told) => Packet | undefined,
  ): Promise<void> {
    return this.next.transact(begin, (told) => decide(told as unknown as Told));
  }
}

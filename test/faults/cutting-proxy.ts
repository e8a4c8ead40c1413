import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { findFreePort } from '../support/free-port.js';

/** A request that is to lose its answer. */
interface Cut {
  mark: string;
  done: () => void;
}

/** What PostgreSQL says when it is ready for a query, outside of a transaction. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** A way to a server that can be cut at the worst moment, after the server did as it was told, and held up. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #cut?: Cut;
  #farewell?: { message: Buffer; done: () => void };
  #isHolding = false;

  private constructor(
    private readonly target: URL,
    private readonly port: number,
  ) {
    this.#server = createServer((client) => this.#serve(client));
  }

  /** @param target - the server's address: any URL with a host and a port */
  static async open(target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(target), await findFreePort());
    await once(proxy.#server.listen(proxy.port, '127.0.0.1'), 'listening');
    return proxy;
  }

  /** The server's address by this way. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** Cuts the next connection that asks for `mark`, when the answer comes. Resolves when that has happened. */
  cutAnswerTo(mark: string): Promise<void> {
    return new Promise((done) => (this.#cut = { mark, done }));
  }

  /** Ends the next connection with a message of PostgreSQL in the very packet that says it is ready. Resolves when that has happened. */
  endWhenReady(message: Buffer): Promise<void> {
    return new Promise((done) => (this.#farewell = { message, done }));
  }

  /** Cuts every connection now. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Lets nothing through, in either direction, until `letThrough`: then everything arrives, however late. */
  hold(): void {
    this.#isHolding = true;
    for (const socket of this.#open) socket.pause();
  }

  letThrough(): void {
    this.#isHolding = false;
    for (const socket of this.#open) socket.resume();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    const server = connect(Number(this.target.port), this.target.hostname);
    let asked: Cut | undefined;
    client.on('data', (chunk) => {
      if (this.#cut && chunk.includes(this.#cut.mark)) {
        asked = this.#cut;
        this.#cut = undefined;
      }
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (this.#farewell && chunk.subarray(-READY.length).equals(READY)) {
        const { message, done } = this.#farewell;
        this.#farewell = undefined;
        client.end(Buffer.concat([chunk, message]));
        return done();
      }
      if (!asked) return client.write(chunk);
      client.destroy();
      asked.done();
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#open.add(socket);
      socket.setNoDelay();
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#open.delete(socket);
        other.destroy();
      });
      if (this.#isHolding) socket.pause();
    }
  }
}

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { findFreePort } from './free-port.js';

export interface Received {
  method: string;
  /** Still encoded, without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Answers a request, or leaves it without an answer. */
export type Reply = (response: ServerResponse, request: Received) => void;

/** What stands in for a server, and answers whatever a test wants to be answered. */
export class FakeServer {
  /** In the order of their arrival. */
  readonly received: Received[] = [];
  readonly #replies = new Map<string, Reply[]>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
    private readonly kindOf: (request: Received) => string,
  ) {}

  /** @param kindOf - which requests are of one kind: each kind is answered by itself */
  static async open(kindOf: (request: Received) => string): Promise<FakeServer> {
    const server = createServer();
    const port = await findFreePort();
    const fake = new FakeServer(server, `http://127.0.0.1:${port}`, kindOf);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { pathname, searchParams } = new URL(request.url!, fake.url);
        fake.#answer(response, {
          method: request.method!,
          path: pathname,
          query: searchParams,
          headers: request.headers,
          text: Buffer.concat(chunks).toString(),
        });
      });
    });
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return fake;
  }

  /** The kind of all bulks: a server that knows none, unless it is told how to reply. */
  static readonly BULK = 'a bulk';

  /** From now on, requests of a kind get these replies, one each; the last one stays. */
  reply(kind: string, ...replies: Reply[]): void {
    this.#replies.set(kind, replies);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  #answer(response: ServerResponse, request: Received): void {
    this.received.push(request);
    const kind = request.path.endsWith('/leases') ? FakeServer.BULK : this.kindOf(request);
    const replies = this.#replies.get(kind) ?? [];
    const reply = (replies.length > 1 ? replies.shift() : replies[0]) ?? text(404, 'No reply');
    reply(response, request);
  }
}

export function text(
  status: number,
  body: string,
  type = 'text/html',
  headers: Record<string, string> = {},
): Reply {
  return (response) => response.writeHead(status, { 'content-type': type, ...headers }).end(body);
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return text(status, JSON.stringify(body), 'application/json', headers);
}

/** Never answers. */
export const hang: Reply = () => {};

/** Drops the connection instead of an answer. */
export const hangUp: Reply = (response) => response.socket!.destroy();

/** Begins an answer that looks like a good one, and drops the connection in its middle. */
export const cutOff: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
  response.write('{"success":true,"result":true,', () => response.socket!.destroy());
};

/** Answers as `reply` does, but only after so many milliseconds. */
export function late(milliseconds: number, reply: Reply): Reply {
  return (response, request) => void setTimeout(() => reply(response, request), milliseconds);
}

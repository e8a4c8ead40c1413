import type { INestApplication } from '@nestjs/common';
import { LockServer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { Agent, type Dispatcher } from 'undici';
import { BlockingSession } from './blocking-session.js';
import { createLockApplication, listen, type LockApplicationOptions } from './lock-application.js';
import { until } from './patience.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

/** What goes beside the method and the path; of `json`, `form` and `body` at most one. */
export interface Message {
  query?: Record<string, string> | Array<[string, string]> | string;
  json?: unknown;
  form?: Record<string, string> | Array<[string, string]> | string;
  body?: string | Buffer;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** The body, when it is JSON. */
  json: unknown;
}

/** A lock as its table holds it. */
export interface LockRow {
  lock_name: string;
  worker_name: string | null;
  grant_id: string | null;
  token: string;
  lock_time: Date;
  expire_time: Date;
  metadata: unknown;
}

/** Where a lock service keeps its locks. */
export type ServiceDatabase = Pick<TestDatabase, 'url' | 'drop'> & Partial<TestDatabase>;

export interface LockServiceOptions extends Omit<LockApplicationOptions, 'database'> {
  /** Default: one of its own, on the PostgreSQL of this test run. */
  database?: ServiceDatabase;
  /** What changes its statements on their way to the database. */
  driver?: object;
}

/** An application that serves locks of PostgreSQL over HTTP, called as any program would call it: byte by byte. */
export class LockService implements AsyncDisposable {
  readonly #agent = new Agent();
  #session?: Promise<BlockingSession>;

  private constructor(
    readonly app: INestApplication,
    /** `http://127.0.0.1:PORT` */
    readonly origin: string,
    /** The address of the default feature, for clients. */
    readonly apiServer: string,
    private readonly database: ServiceDatabase,
  ) {}

  static async open({ database, driver, ...options }: LockServiceOptions = {}): Promise<LockService> {
    const own = database ?? (await createTestDatabase());
    const app = await createLockApplication({
      ...options,
      database: {
        type: 'postgres',
        url: own.url,
        poolSize: 2,
        retryAttempts: 1,
        ...(driver && { driver }),
      },
    });
    const origin = await listen(app);
    const prefix = options.globalPrefix === undefined ? '' : `/${options.globalPrefix}`;
    const path = options.features?.[0]?.path ?? options.features?.[0]?.feature ?? 'dblock';
    return new LockService(app, origin, `${origin}${prefix}/${path}`, own);
  }

  /** Where the locks are, for sessions beside ours. */
  get databaseUrl(): string {
    return this.database.url;
  }

  /** The rules themselves, without HTTP. */
  get locks(): LockServer {
    return this.app.get(LockServer);
  }

  /** @param path - below the feature's path, or below the origin when it begins with a slash; sent as it is */
  async send(method: string, path: string, message: Message = {}): Promise<Answer> {
    const { query } = message;
    const { body, headers } = encode(message);
    const base = path.startsWith('/') ? '' : `${new URL(this.apiServer).pathname}/`;
    const search = query === undefined ? '' : `?${toSearch(query)}`;
    const response = await this.#agent.request({
      origin: this.origin,
      path: `${base}${path}${search}`,
      method: method as 'GET',
      headers,
      body,
    });
    const text = await textOf(response);
    return {
      status: response.statusCode,
      headers: response.headers as Record<string, string>,
      text,
      json: asJson(text),
    };
  }

  /** A lease of 1 ms, which has run out by now. */
  async leaveExpired(lockName: string, workerName = 'late'): Promise<void> {
    await this.locks.acquire({ lockName, workerName, grantId: randomUUID(), ttl: 1 });
    await this.expired(lockName);
  }

  /** Waits until its lease has run out. */
  expired(lockName: string): Promise<void> {
    return until(
      `${lockName} expires`,
      10_000,
      async () => (await this.locks.inspect(lockName))?.state === 'expired',
    );
  }

  /** As if nobody had used the lock for an hour. */
  async leaveIdle(lockName: string): Promise<void> {
    await this.query(
      `UPDATE dblock_lock SET token = token - 3600000000,
         lock_time = lock_time - interval '1 hour', expire_time = expire_time - interval '1 hour'
       WHERE lock_name = $1`,
      [lockName],
    );
  }

  /** All that the table of the locks holds. */
  rows(): Promise<LockRow[]> {
    return this.query('SELECT * FROM dblock_lock ORDER BY lock_name');
  }

  /** One statement on the database, beside the application. */
  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const session = await (this.#session ??= BlockingSession.open(this.databaseUrl));
    return session.query<Row>(sql, values);
  }

  /** Takes the database away, for good. */
  async loseDatabase(): Promise<void> {
    if (this.database.remove === undefined) throw new Error('The database is not of its own.');
    await this.database.remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    await this.#agent.close();
    await this.#closeApplication();
    await this.#session?.then((session) => session.close()).catch(() => {});
    await this.database.drop();
  }

  /** A connection that becomes idle only then would be kept for as long as its keep-alive: 72 s on Fastify. */
  async #closeApplication(): Promise<void> {
    const server = this.app.getHttpServer() as Server;
    const sweeping = setInterval(() => server.closeIdleConnections(), 50);
    try {
      await this.app.close();
    } finally {
      clearInterval(sweeping);
    }
  }
}

function encode({ json, form, body, headers = {} }: Message) {
  if (json !== undefined)
    return { body: JSON.stringify(json), headers: { 'content-type': 'application/json', ...headers } };
  if (form !== undefined)
    return {
      body: toSearch(form),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    };
  return { body, headers };
}

/** All of it; of events, which have no end, the first one. */
async function textOf({ headers, body }: Dispatcher.ResponseData): Promise<string> {
  if (headers['content-type'] !== 'text/event-stream') return body.text();
  let text = '';
  for await (const chunk of body.setEncoding('utf8')) {
    text += chunk as string;
    if (/\S\n\n/.test(text)) break;
  }
  return text;
}

function toSearch(parameters: NonNullable<Message['query']>): string {
  return typeof parameters === 'string' ? parameters : new URLSearchParams(parameters).toString();
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { Agent, request as send, type Dispatcher } from 'undici';
import { AccessDeniedError, StoreUnavailableError, UnexpectedAnswerError } from '../lease/errors.js';

export interface HttpExchangeOptions {
  /** The server's address, with the path that its API lies under: `https://locks.example.com/dblock`. */
  apiServer: string;
  /** Sent as a bearer token. */
  apiToken?: string;
  /** Milliseconds for one attempt, from the first byte sent to the last one read. */
  requestTimeout: number;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Relative to the server's address, already encoded. */
  path: string;
  body?: object;
  query?: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds, when this attempt has less time than others. */
  timeout?: number;
  /** Milliseconds that the server may take on top of it, because it was asked to wait. */
  wait?: number;
}

export interface HttpAnswer {
  status: number;
  /** The body, when it is JSON. */
  json: unknown;
}

/** The server lives, but can't answer now: worth another try. */
const PASSING = new Set([429, 500, 502, 503, 504]);

/** Speaks JSON to one server over connections that are kept alive. One call is one attempt. */
export class HttpExchange {
  readonly #base: URL;
  readonly #agent = new Agent({ keepAliveTimeout: 30_000, keepAliveMaxTimeout: 300_000 });

  constructor(private readonly options: HttpExchangeOptions) {
    this.#base = new URL(options.apiServer.endsWith('/') ? options.apiServer : `${options.apiServer}/`);
  }

  /**
   * @throws StoreUnavailableError when there is no answer, or one that says "not now": the outcome is unknown.
   * @throws AccessDeniedError for 401 and 403.
   */
  async exchange({ method, path, body, query, signal, timeout, wait = 0 }: HttpRequest): Promise<HttpAnswer> {
    const timeLimit = AbortSignal.timeout(Math.min(this.options.requestTimeout, timeout ?? Infinity) + wait);
    let answer: HttpAnswer & { headers: Dispatcher.ResponseData['headers'] };
    try {
      const response = await send(new URL(path, this.#base), {
        dispatcher: this.#agent,
        headersTimeout: 0, // ours is the signal: a server that was asked to wait stays silent for long
        method,
        query,
        headers: this.#headers(body),
        body: body && JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeLimit]) : timeLimit,
      });
      answer = {
        status: response.statusCode,
        headers: response.headers,
        json: asJson(await response.body.text()),
      };
    } catch (cause) {
      signal?.throwIfAborted();
      throw new StoreUnavailableError(`The lock server does not answer: ${reasonOf(cause)}`, { cause });
    }
    if (PASSING.has(answer.status)) {
      throw new StoreUnavailableError(`The lock server can't answer now (HTTP ${answer.status}).`, {
        retryAfter: retryAfterOf(answer.headers),
      });
    }
    if (answer.status === 401 || answer.status === 403)
      throw new AccessDeniedError(
        `The lock server refuses this caller (HTTP ${answer.status}): check apiToken.`,
      );
    return answer;
  }

  /** What to throw when an answer is none that the contract knows. */
  unexpected({ status }: HttpAnswer): UnexpectedAnswerError {
    return new UnexpectedAnswerError(
      `${this.#base.href} answered HTTP ${status} with something no lock server says: check apiServer and its path.`,
    );
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  #headers(body: object | undefined): Record<string, string> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body) headers['content-type'] = 'application/json';
    if (this.options.apiToken !== undefined) headers['authorization'] = `Bearer ${this.options.apiToken}`;
    return headers;
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(cause: unknown): string {
  const error = cause as { code?: unknown; message?: unknown };
  return [error.code, error.message].filter((part) => typeof part === 'string' && part !== '').join(' ');
}

function retryAfterOf(headers: Dispatcher.ResponseData['headers']): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}

import { Agent, request as send, type Dispatcher } from 'undici';
import { monotonicNow } from '../lease/clock.js';
import {
  AccessDeniedError,
  DbLockError,
  OverloadedError,
  StoreUnavailableError,
  UnexpectedAnswerError,
} from '../lease/errors.js';

export interface HttpExchangeOptions {
  /** The server's address, with the path that its API lies under: `https://locks.example.com/dblock`. */
  apiServer: string;
  /** Sent as a bearer token. */
  apiToken?: string;
  /** Sent as it is, instead of a bearer token: `Basic …`. */
  authorization?: string;
  /** Milliseconds for one attempt, with its time in the queue, until the last byte of the answer. */
  requestTimeout: number;
  /** Makes further headers, for who asks just now. */
  headers?: (() => Record<string, string>) | undefined;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Relative to the server's address, already encoded. */
  path: string;
  /** JSON: as a value, or written already. */
  body?: object | string;
  query?: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds, when this attempt has less time than others. */
  timeout?: number;
  /** Milliseconds that the server may take on top of it, because it was asked to wait. */
  wait?: number;
  /** Whether it carries requests of many callers, and so is part of no one's trace. */
  isBulk?: boolean;
}

export interface HttpAnswer {
  status: number;
  /** The body, when it is JSON. */
  json: unknown;
  /** When the request was sent, on this process's monotonic clock. */
  sentAt: number;
}

/** The server lives, but can't answer now: worth another try. */
const PASSING = new Set([429, 500, 502, 503, 504]);

/** Speaks JSON to one server over connections that are kept alive. One call is one attempt. */
export class HttpExchange {
  readonly #base: URL;
  readonly #headers: Record<string, string>;
  readonly #agent = new Agent({ keepAliveTimeout: 30_000, keepAliveMaxTimeout: 300_000 });

  constructor(private readonly options: HttpExchangeOptions) {
    this.#base = new URL(options.apiServer.endsWith('/') ? options.apiServer : `${options.apiServer}/`);
    this.#headers = { accept: 'application/json' };
    const { apiToken, authorization = apiToken === undefined ? undefined : `Bearer ${apiToken}` } = options;
    if (authorization !== undefined) this.#headers['authorization'] = authorization;
  }

  /**
   * @throws StoreUnavailableError when there is no answer, or one that says "not now": the outcome is unknown.
   * @throws OverloadedError when the server says that it has refused the request for having too many.
   * @throws AccessDeniedError for 401 and 403.
   * @param callersHeaders of who has asked, where that was not here and now
   */
  async exchange(request: HttpRequest, callersHeaders = this.callersHeaders): Promise<HttpAnswer> {
    const { method, path, body, query, signal, wait = 0 } = request;
    const timeLimit = AbortSignal.timeout(this.timeLimit(request) + wait);
    const sentAt = monotonicNow();
    let answer: HttpAnswer;
    let headers: Dispatcher.ResponseData['headers'];
    try {
      const response = await send(new URL(path, this.#base), {
        dispatcher: this.#agent,
        headersTimeout: 0, // ours is the signal: a server that was asked to wait stays silent for long
        method,
        query,
        headers: this.#headersOf(request, callersHeaders),
        body: typeof body === 'object' ? JSON.stringify(body) : body,
        signal: signal ? AbortSignal.any([signal, timeLimit]) : timeLimit,
      });
      headers = response.headers;
      answer = { status: response.statusCode, json: asJson(await response.body.text()), sentAt };
    } catch (cause) {
      signal?.throwIfAborted();
      throw silent(cause);
    }
    return this.judge(answer, retryAfterOf(headers));
  }

  /**
   * What a server tells for as long as it is heard, as text, piece by piece.
   * @param silence milliseconds without a word after which it counts as gone
   * @throws StoreUnavailableError, AccessDeniedError, UnexpectedAnswerError; the pieces end with StoreUnavailableError when the server falls silent
   */
  async follow(path: string, silence: number, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const { requestTimeout } = this.options;
    try {
      const { statusCode, body } = await send(new URL(path, this.#base), {
        dispatcher: this.#agent,
        headersTimeout: requestTimeout,
        bodyTimeout: silence,
        headers: { ...this.#headers, accept: 'text/event-stream' },
        signal,
      });
      if (statusCode === 200) return textOf(body, signal);
      const answer = { status: statusCode, json: asJson(await body.text()), sentAt: monotonicNow() };
      throw this.unexpected(this.judge(answer));
    } catch (cause) {
      signal.throwIfAborted();
      throw cause instanceof DbLockError ? cause : silent(cause);
    }
  }

  /** What tells of the caller's trace, where somebody traces. */
  get callersHeaders(): Record<string, string> | undefined {
    return this.options.headers?.();
  }

  #headersOf(
    { body, isBulk }: HttpRequest,
    callersHeaders: Record<string, string> | undefined,
  ): Record<string, string> {
    const further = isBulk ? undefined : callersHeaders;
    if (body === undefined) return further ? { ...this.#headers, ...further } : this.#headers;
    return { ...this.#headers, 'content-type': 'application/json', ...further };
  }

  /** Milliseconds that an attempt may take, but for what the server was asked to wait. */
  timeLimit({ timeout = Infinity }: Pick<HttpRequest, 'timeout'>): number {
    return Math.min(this.options.requestTimeout, timeout);
  }

  /**
   * The answer, if it is one to the question.
   * @param retryAfter milliseconds
   * @throws StoreUnavailableError, OverloadedError, AccessDeniedError
   */
  judge(answer: HttpAnswer, retryAfter?: number): HttpAnswer {
    const { status, json } = answer;
    if (PASSING.has(status)) {
      const problem = (json ?? {}) as { code?: unknown; retryAfter?: unknown };
      if (typeof problem.retryAfter === 'number') retryAfter = problem.retryAfter;
      if (status === 503 && problem.code === 'OVERLOADED') throw new OverloadedError(null, { retryAfter });
      throw new StoreUnavailableError(`The lock server can't answer now (HTTP ${status}).`, { retryAfter });
    }
    if (status === 401 || status === 403)
      throw new AccessDeniedError(`The lock server refuses this caller (HTTP ${status}): check apiToken.`);
    return answer;
  }

  /** What to throw when an answer is none that the contract knows. */
  unexpected({ status }: Pick<HttpAnswer, 'status'>): UnexpectedAnswerError {
    return new UnexpectedAnswerError(
      `${this.#base.href} answered HTTP ${status} with something no lock server says: check apiServer and its path.`,
    );
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** A character whose bytes come in two pieces is told with the second one. */
async function* textOf(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    for await (const piece of body) yield decoder.decode(piece, { stream: true });
  } catch (cause) {
    signal.throwIfAborted();
    throw silent(cause);
  }
}

const silent = (cause: unknown) =>
  new StoreUnavailableError(`The lock server does not answer: ${reasonOf(cause)}`, { cause });

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

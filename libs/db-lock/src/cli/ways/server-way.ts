import type { z } from 'zod';
import { endedLeaseJson, historyJson } from '../../admin/schemas.js';
import { HttpExchange, type HttpAnswer, type HttpRequest } from '../../client/http-exchange.js';
import { HttpTransport } from '../../client/http-transport.js';
import { LockClient } from '../../client/lock-client.js';
import { DEFAULT_TTL } from '../../lease/duration.js';
import { InvalidLockRequestError, LockNotFoundError } from '../../lease/errors.js';
import { defaultWorkerName } from '../../lease/worker.js';
import { inspectedLockJson, lockPageJson, problemJson } from '../../server/schemas.js';
import { NegativeAnswer } from '../errors.js';
import type { ServerPlace } from '../place.js';
import { eventsIn } from './event-text.js';
import type {
  Change,
  EndedLeaseJson,
  ForceReleaseRequest,
  HistoryJson,
  HistoryQuery,
  InspectedLockJson,
  ListQuery,
  LockPageJson,
  Way,
} from './way.js';

/** Milliseconds for an answer of the lock server. */
const REQUEST_TIMEOUT = 5_000;

/** Milliseconds for one of the admin, which may act on many leases. */
const ADMIN_TIMEOUT = 30_000;

/** The admin says something every 15 seconds: after so many milliseconds without a word it is gone. */
const SILENCE = 45_000;

/** How often what got no answer is asked again. */
const RETRIES = 2;

/** The admin's one user, where the standalone server lets in by a password. */
const ADMIN = 'admin';

export function openServerWay(place: ServerPlace): Way {
  return new ServerWay(place);
}

/** The way by HTTP. */
class ServerWay implements Way {
  readonly to: string;
  readonly client: LockClient;
  readonly transport: HttpTransport;
  readonly #api: HttpExchange;
  readonly #admin: HttpExchange;

  constructor({ address, apiToken, adminPassword }: ServerPlace) {
    this.to = address;
    const options = { apiServer: address, apiToken, requestTimeout: REQUEST_TIMEOUT };
    this.transport = new HttpTransport(options);
    const settings = { ttl: DEFAULT_TTL, workerName: defaultWorkerName(), retries: RETRIES };
    this.client = new LockClient(settings, this.transport);
    this.#api = new HttpExchange(options);
    this.#admin = new HttpExchange({
      ...options,
      requestTimeout: ADMIN_TIMEOUT,
      authorization: adminPassword === undefined ? undefined : basic(ADMIN, adminPassword),
    });
  }

  async page(query: ListQuery): Promise<LockPageJson> {
    const answer = await this.#ask(this.#api, { method: 'GET', path: 'locks', query: asText(query) });
    return this.#read(lockPageJson, answer);
  }

  async inspect(lockName: string): Promise<InspectedLockJson | null> {
    const path = `locks/${encodeURIComponent(lockName)}`;
    try {
      return this.#read(inspectedLockJson, await this.#ask(this.#api, { method: 'GET', path }));
    } catch (error) {
      if (error instanceof LockNotFoundError) return null;
      throw error;
    }
  }

  async history(lockName: string, query: HistoryQuery): Promise<HistoryJson> {
    const path = `admin/api/locks/${encodeURIComponent(lockName)}/history`;
    return this.#read(
      historyJson,
      await this.#ask(this.#admin, { method: 'GET', path, query: asText(query) }),
    );
  }

  async forceRelease(lockName: string, body: ForceReleaseRequest): Promise<EndedLeaseJson> {
    const path = `admin/api/locks/${encodeURIComponent(lockName)}/force-release`;
    return this.#read(endedLeaseJson, await this.#ask(this.#admin, { method: 'POST', path, body }));
  }

  async *changes(signal: AbortSignal): AsyncIterable<Change> {
    const text = await this.#admin.follow('admin/api/changes', SILENCE, signal);
    for await (const { type, data } of eventsIn(text)) yield { type, ...data } as Change;
  }

  async ping(): Promise<void> {
    await this.page({ page: 1, pageSize: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client.close(), this.#api.close(), this.#admin.close()]);
  }

  /** @throws what the answer says was wrong */
  async #ask(exchange: HttpExchange, request: HttpRequest): Promise<HttpAnswer> {
    const answer = await exchange.exchange(request);
    if (answer.status < 300) return answer;
    const problem = problemJson.safeParse(answer.json).data;
    switch (problem?.code) {
      case 'INVALID_REQUEST':
        throw new InvalidLockRequestError(problem.issues ?? []);
      case 'LOCK_NOT_FOUND':
        throw new LockNotFoundError(problem.lockName ?? '');
      case 'LOCK_CHANGED':
        throw new NegativeAnswer(problem.detail);
      default:
        throw exchange.unexpected(answer);
    }
  }

  #read<Schema extends z.ZodType>(schema: Schema, answer: HttpAnswer): z.output<Schema> {
    const result = schema.safeParse(answer.json);
    if (!result.success) throw this.#api.unexpected(answer);
    return result.data;
  }
}

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** As a query string has it, without what is not given. */
const asText = (query: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );

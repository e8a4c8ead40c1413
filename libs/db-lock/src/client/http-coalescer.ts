import { ignoreAbort, onAbort, type Abortable } from '../lease/abort-call.js';
import { StoreUnavailableError } from '../lease/errors.js';
import { NOWHERE } from '../lease/roster.js';
import { Coalescer } from '../store/coalescer.js';
import { inBodies, type BulkItem, type BulkRoute } from './bulk-route.js';
import type { HttpAnswer, HttpExchange, HttpRequest } from './http-exchange.js';

/** The most requests that go together: two statements of the server. */
const MAX_BATCH = 256;

/** The most batches under way, so that a slow one does not hold up those behind it. */
const MAX_UNDER_WAY = 4;

/** So many requests are worth a batch of their own beside one that is under way. */
const WORTH_IT = 16;

/** One request in both of its forms. */
export interface CoalescedRequest {
  alone: HttpRequest;
  item: BulkItem;
}

/**
 * Sends one kind of request. One that is alone goes by itself, at once; those that come while it is under way go
 * together, in a bulk.
 */
export class HttpCoalescer {
  readonly #coalescer = new Coalescer<Attempt, void>({
    answer: async (batch) => {
      await this.#answer(batch.filter((attempt) => !attempt.over));
      return [];
    },
    maxBatch: MAX_BATCH,
    maxAge: Infinity, // an attempt has a time limit of its own
    maxUnderWay: MAX_UNDER_WAY,
    worthIt: WORTH_IT,
  });

  constructor(
    private readonly http: HttpExchange,
    private readonly bulks: BulkRoute,
  ) {}

  /**
   * The answer as a route of its own gives it. The request's time limit and its signal count from now on: also in the
   * queue, which it then leaves unsent.
   * @throws what HttpExchange throws
   */
  submit(request: CoalescedRequest): Promise<HttpAnswer> {
    const { alone } = request;
    if (alone.signal?.aborted) return Promise.reject(alone.signal.reason as Error);
    if (!this.bulks.known) return this.http.exchange(alone);
    const attempt = new Attempt(request, this.http.timeLimit(alone), this.http.callersHeaders);
    this.#coalescer.submit(attempt).catch((error: Error) => attempt.reject(error));
    return attempt.answer;
  }

  async #answer(attempts: readonly Attempt[]): Promise<void> {
    if (!this.bulks.known || attempts.length < 2) return this.#sendAlone(attempts);
    const bodies = inBodies(attempts, (attempt) => attempt.text);
    await Promise.all(bodies.map((body) => this.#sendTogether(body)));
  }

  async #sendAlone(attempts: readonly Attempt[]): Promise<void> {
    await Promise.all(
      attempts.map((attempt) =>
        attempt.settle(() => this.http.exchange(attempt.request.alone, attempt.callersHeaders)),
      ),
    );
  }

  async #sendTogether(attempts: readonly Attempt[]): Promise<void> {
    const nobodyCares = new AbortController();
    let caring = attempts.length;
    for (const attempt of attempts)
      attempt.onOver = () => {
        if (--caring === 0) nobodyCares.abort();
      };
    let answers: HttpAnswer[] | null;
    try {
      answers = await this.bulks.send(
        attempts.map((attempt) => attempt.text),
        nobodyCares.signal,
      );
    } catch (error) {
      for (const attempt of attempts) attempt.reject(error as Error);
      return;
    }
    if (!answers) return this.#sendAlone(attempts.filter((attempt) => !attempt.over));
    await Promise.all(
      attempts.map((attempt, index) => attempt.settle(() => this.http.judge(answers[index]!))),
    );
  }
}

/** One request that somebody waits for, until it is answered, its time is over, or it is given up. */
class Attempt implements Abortable {
  place = NOWHERE;
  readonly answer: Promise<HttpAnswer>;
  /** Called once, when nobody waits for the answer any more. */
  onOver?: () => void;
  #over = false;
  #text?: string;
  #resolve!: (answer: HttpAnswer) => void;
  #reject!: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(
    readonly request: CoalescedRequest,
    timeLimit: number,
    readonly callersHeaders: Record<string, string> | undefined,
  ) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(
      () => this.reject(new StoreUnavailableError(`The lock server does not answer within ${timeLimit} ms.`)),
      timeLimit,
    );
    const { signal } = request.alone;
    if (signal) onAbort(signal, this);
  }

  get over(): boolean {
    return this.#over;
  }

  /** As a bulk carries it. */
  get text(): string {
    return (this.#text ??= JSON.stringify(this.request.item));
  }

  /** Never rejects: what is thrown is the attempt's. */
  async settle(answer: () => HttpAnswer | Promise<HttpAnswer>): Promise<void> {
    try {
      const known = await answer();
      if (this.#end()) this.#resolve(known);
    } catch (error) {
      this.reject(error as Error);
    }
  }

  reject(error: Error): void {
    if (this.#end()) this.#reject(error);
  }

  abort(reason: unknown): void {
    this.reject(reason as Error);
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    const { signal } = this.request.alone;
    if (signal) ignoreAbort(signal, this);
    this.onOver?.();
    return true;
  }
}

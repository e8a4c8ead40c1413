import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../lease/clock.js';
import type { WaitingAcquireRequest } from '../lease/requests.js';
import { HttpExchange, type HttpAnswer, type HttpExchangeOptions } from './http-exchange.js';
import type {
  AcquireOutcome,
  BasicConfirmation,
  BasicTransport,
  LeaseKey,
  ReleaseOutcome,
} from './lock-transport.js';

export interface DjangoDbLockTransportOptions extends HttpExchangeOptions {
  /** Relative to `apiServer`. */
  acquireLockPath: string;
  /** Relative to `apiServer`. */
  releaseLockPath: string;
}

/** The server may keep time in whole seconds and cut: ask for one more than the lease is trusted for. */
const SPARE_SECONDS = 1;

/** The shortest pause of one who waits, in milliseconds; the longest is twice as long, so that many spread out. */
const PAUSE = 250;

/**
 * The way to any server that speaks django-db-lock's contract. It knows no grantId: an acquire whose outcome is unknown
 * can't be repeated, because its own grant would answer "busy".
 */
export class DjangoDbLockTransport implements BasicTransport {
  readonly repeatable = false;
  readonly #http: HttpExchange;

  constructor(private readonly options: DjangoDbLockTransportOptions) {
    this.#http = new HttpExchange(options);
  }

  /** The contract knows no waiting: who waits asks again and again. */
  async acquire(
    { lockName, workerName, ttl, wait }: WaitingAcquireRequest,
    signal?: AbortSignal,
  ): Promise<AcquireOutcome<BasicConfirmation>> {
    const timeout = String(Math.ceil(ttl / 1000) + SPARE_SECONDS);
    const deadline = monotonicNow() + wait;
    for (;;) {
      const sentAt = monotonicNow();
      const granted = await this.#call(
        this.options.acquireLockPath,
        { lockName, workerName, timeout },
        signal,
      );
      if (granted) return { outcome: 'granted', lease: { timeLeft: ttl }, sentAt };
      const patience = deadline - monotonicNow();
      if (patience <= 0) break;
      await sleep(Math.min(patience, PAUSE * (1 + Math.random())), undefined, { signal });
    }
    return {
      outcome: 'busy',
      holder: { lockName, workerName: null, lockTime: null, expireTime: null, timeLeft: null },
    };
  }

  /** The contract answers "released" also when that worker held nothing. */
  async release({ lockName, workerName }: LeaseKey): Promise<ReleaseOutcome> {
    const released = await this.#call(this.options.releaseLockPath, { lockName, workerName });
    return { outcome: released ? 'released' : 'lost' };
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #call(path: string, query: Record<string, string>, signal?: AbortSignal): Promise<boolean> {
    const answer = await this.#http.exchange({ method: 'GET', path, query, signal });
    const result = resultOf(answer);
    if (result === undefined) throw this.#http.unexpected(answer);
    return result;
  }
}

/** Nothing but a success that carries true or false is an answer: an error must not read as "busy" or "released". */
function resultOf({ status, json }: HttpAnswer): boolean | undefined {
  const { success, result } = (json ?? {}) as { success?: unknown; result?: unknown };
  return status === 200 && success === true && typeof result === 'boolean' ? result : undefined;
}

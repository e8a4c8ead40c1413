import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow, trustedUntil } from '../lease/deadline.js';
import { ClientClosedError, LeaseLostError, LockBusyError, StoreUnavailableError } from '../lease/errors.js';
import type { AcquireRequest } from '../lease/requests.js';
import type { BasicAcquireOptions } from './acquire-options.js';
import type { BasicLease, LeaseObserver } from './basic-lease.js';
import type { BasicConfirmation, BasicTransport, LeaseKey, ReleaseOutcome } from './lock-transport.js';

/** The pauses before an attempt is repeated, in milliseconds: the first one is up to twice as long. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

/** What a client needs to know beside the way to its server. */
export interface ClientSettings {
  /** TTL of a lease that names none, in ms. */
  ttl: number;
  workerName: string;
  /** How often an attempt whose outcome is unknown is repeated, with the same grantId. */
  retries: number;
}

/** One acquisition: what is asked for, and how. */
export interface Acquisition {
  request: AcquireRequest;
  signal?: AbortSignal;
  keepAlive: boolean;
  /** The caller chose the grantId and may repeat it: then a lease that nobody confirmed is the caller's to release. */
  callersGrant: boolean;
}

type Work<Lease, Result> = (lease: Lease) => Result | Promise<Result>;

/** What all lock clients do alike, whatever server they speak to. */
export abstract class BasicLockClient<
  Lease extends BasicLease,
  Options extends BasicAcquireOptions,
  Confirmation extends BasicConfirmation = BasicConfirmation,
> {
  protected readonly logger = new Logger('DbLock');
  readonly #live = new Set<BasicLease>();
  #closed = false;

  constructor(
    protected readonly settings: ClientSettings,
    private readonly basicTransport: BasicTransport<Confirmation>,
  ) {}

  /**
   * Runs the work under the lock and releases it, whatever becomes of the work, whose result or error is passed on as it is.
   * @throws LockBusyError when somebody else holds the lock; the work has not begun.
   * @throws StoreUnavailableError when the server does not answer; the work has not begun.
   * @throws InvalidLockRequestError when the name or an option breaks a rule.
   */
  withLock<Result>(lockName: string, work: Work<Lease, Result>): Promise<Result>;
  withLock<Result>(lockName: string, options: Options, work: Work<Lease, Result>): Promise<Result>;
  async withLock<Result>(
    lockName: string,
    ...[optionsOrWork, workAfterOptions]: [Work<Lease, Result>] | [Options, Work<Lease, Result>]
  ): Promise<Result> {
    const [options, work] =
      typeof optionsOrWork === 'function' ? [undefined, optionsOrWork] : [optionsOrWork, workAfterOptions!];
    const lease = await this.#acquire(this.prepare(lockName, options, true));
    try {
      return await work(lease);
    } finally {
      await lease[Symbol.asyncDispose]();
    }
  }

  /**
   * Takes the lock.
   * @throws LockBusyError when somebody else holds it.
   * @throws StoreUnavailableError when the server does not answer: neither busy nor free.
   * @throws LeaseLostError when the answer came too late to be a lease.
   * @throws InvalidLockRequestError when the name or an option breaks a rule.
   */
  async acquire(lockName: string, options?: Options): Promise<Lease> {
    return this.#acquire(this.prepare(lockName, options, false));
  }

  /** Like `acquire`, but null when somebody else holds the lock. Null means busy; an exception means failure. */
  async tryAcquire(lockName: string, options?: Options): Promise<Lease | null> {
    try {
      return await this.acquire(lockName, options);
    } catch (error) {
      if (error instanceof LockBusyError) return null;
      throw error;
    }
  }

  /** Releases every lease that is still held, and refuses new ones. The application's shutdown calls it. */
  async close(): Promise<void> {
    this.#closed = true;
    const leases = [...this.#live];
    for (const lease of leases) lease.lose('shutdown');
    await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()));
    await this.basicTransport.close();
  }

  /** Checks the name and the options, and fills in the defaults. */
  protected abstract prepare(lockName: string, options: Options | undefined, keepAlive: boolean): Acquisition;

  /** Makes the handle of a lease that was just confirmed. */
  protected abstract lease(acquisition: Acquisition, confirmation: Confirmation, sentAt: number): Lease;

  protected readonly observer: LeaseObserver = {
    release: (key) => this.#release(key),
    ended: (lease) => this.#live.delete(lease),
    lost: (_lease, error) => {
      if (error.reason !== 'shutdown') this.logger.warn(error.message);
    },
    releaseFailed: (lease, error) => {
      this.logger.warn(`Lock ${JSON.stringify(lease.lockName)} could not be released: ${messageOf(error)}`);
    },
  };

  async #acquire(acquisition: Acquisition): Promise<Lease> {
    const { request, signal } = acquisition;
    if (this.#closed) throw new ClientClosedError();
    signal?.throwIfAborted();

    let givenUp = false;
    const attempt = async () => {
      const sentAt = monotonicNow();
      const answer = await this.basicTransport.acquire(request, signal);
      if (givenUp && answer.outcome === 'granted') this.#releaseUnwanted(acquisition);
      return { sentAt, answer };
    };

    try {
      const { sentAt, answer } = await this.#repeatUnknown(attempt, this.basicTransport.repeatable, signal);
      if (answer.outcome === 'busy')
        throw new LockBusyError(request.lockName, answer.holder, answer.retryAfter);
      if (this.#closed || trustedUntil(sentAt, answer.lease.timeLeft) <= monotonicNow()) {
        this.#releaseUnwanted(acquisition);
        throw this.#closed ? new ClientClosedError() : new LeaseLostError(request.lockName, 'deadline');
      }
      const lease = this.lease(acquisition, answer.lease, sentAt);
      this.#live.add(lease);
      return lease;
    } catch (error) {
      givenUp = true;
      if (error instanceof StoreUnavailableError || signal?.aborted) this.#releaseUnwanted(acquisition);
      throw error;
    }
  }

  async #release(key: LeaseKey): Promise<ReleaseOutcome> {
    let unknownBefore = false;
    const attempt = async (): Promise<ReleaseOutcome> => {
      try {
        const answer = await this.basicTransport.release(key);
        // The lease that is gone now may have been ended by the attempt that got no answer.
        return unknownBefore && answer.outcome === 'lost' ? { outcome: 'released' } : answer;
      } catch (error) {
        unknownBefore = true;
        throw error;
      }
    };
    return this.#repeatUnknown(attempt, true);
  }

  /** Frees, in the background, what an attempt that was given up may have acquired. Failing that, the TTL frees it. */
  #releaseUnwanted({ request, callersGrant }: Acquisition): void {
    if (callersGrant) return;
    this.basicTransport.release(request).catch((error: unknown) => {
      this.logger.debug(
        `Lock ${JSON.stringify(request.lockName)} may be held until its TTL: ${messageOf(error)}`,
      );
    });
  }

  /** Unknown is neither busy nor free: ask again, with the same grantId, then report the error. */
  async #repeatUnknown<Answer>(
    attempt: () => Promise<Answer>,
    repeatable: boolean,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const retries = repeatable ? this.settings.retries : 0;
    for (let retry = 0; ; retry++) {
      try {
        return await orAborted(attempt(), signal);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        signal?.throwIfAborted();
        if (retry === retries) throw error;
      }
      await pauseBefore(retry, signal);
    }
  }
}

/** Rejects as soon as the signal aborts, however long the attempt goes on. */
async function orAborted<Answer>(attempt: Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
  if (!signal) return attempt;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
  });
  try {
    const answer = await Promise.race([attempt, aborted]);
    signal.throwIfAborted();
    return answer;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Longer before every retry, and of random length, so that many who failed together don't come back together. */
async function pauseBefore(retry: number, signal?: AbortSignal): Promise<void> {
  const milliseconds = Math.min(FIRST_PAUSE * 2 ** retry * (1 + Math.random()), LONGEST_PAUSE);
  await sleep(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The options without those that are undefined, which must not hide a default. */
export function definedOnly(options: object | undefined): object {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined));
}

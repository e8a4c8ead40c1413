import { z } from 'zod';
import { InvalidLockRequestError, StoreUnavailableError } from '../lease/errors.js';
import { lockNameSchema, workerNameSchema } from '../lease/names.js';
import {
  acquireRequestSchema,
  parseRequest,
  releaseRequestSchema,
  renewRequestSchema,
  type AcquireRequest,
  type ReleaseRequest,
  type RenewRequest,
} from '../lease/requests.js';
import { Coalescer, QueuedTooLongError } from '../store/coalescer.js';
import { acquireOncePerName } from '../store/contention.js';
import type {
  AcquireAnswer,
  ErrorAnswer,
  ForceReleaseAnswer,
  HistoryRecord,
  LockPage,
  LockRecord,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
  StateCounts,
} from '../store/lock-store.js';
import { listQuerySchema, wholeNumber } from './list-query.js';

/** An answer that is not an error; errors are thrown. */
type Settled<Answer> = Exclude<Answer, ErrorAnswer>;

export interface LockServerOptions {
  /** Milliseconds that a request may queue before the store takes it; default 5,000. */
  queueTimeout?: number;
}

/** The most requests that one statement takes. */
const MAX_BATCH = 256;

export const forceReleaseRequestSchema = z.strictObject({
  lockName: lockNameSchema,
  actor: workerNameSchema,
  reason: z
    .string({ error: 'must be a text of 1 to 1000 characters' })
    .trim()
    .min(1, { error: 'must be a text of 1 to 1000 characters' })
    .max(1000, { error: 'must be a text of 1 to 1000 characters' })
    .refine((text) => !text.includes('\0') && text.isWellFormed(), { error: 'must be storable text' }),
});

const historyLimitSchema = wholeNumber(1, 1000);

/**
 * The rules of leases, over a store. Inject it to serve locks by a protocol of your own; to use locks, inject LockClient.
 *
 * Every method throws `InvalidLockRequestError` for a request that breaks a rule, before anything is stored, and
 * `StoreUnavailableError` when the store does not answer: then a request may or may not have taken effect.
 */
export class LockServer {
  readonly #acquires: Coalescer<AcquireRequest, AcquireAnswer>;
  readonly #renewals: Coalescer<RenewRequest, RenewAnswer>;
  readonly #releases: Coalescer<ReleaseRequest, ReleaseAnswer>;

  constructor(
    private readonly store: LockStore,
    { queueTimeout = 5_000 }: LockServerOptions = {},
  ) {
    const coalesce = <Request, Answer>(answer: (batch: readonly Request[]) => Promise<readonly Answer[]>) =>
      new Coalescer({ answer, maxBatch: MAX_BATCH, maxAge: queueTimeout });
    this.#acquires = coalesce((batch) => acquireOncePerName(store, batch));
    this.#renewals = coalesce((batch) => store.renew(batch));
    this.#releases = coalesce((batch) => store.release(batch));
  }

  /** Tries to take the lock: `granted` with the lease, or `busy` with the holder. Never waits for the holder. */
  async acquire(request: z.input<typeof acquireRequestSchema>): Promise<Settled<AcquireAnswer>> {
    return settle(this.#acquires.submit(parseRequest(acquireRequestSchema, request)));
  }

  /** Gives a live lease a new TTL from now, which never shortens it. `lost`: there is no such live lease. */
  async renew(request: z.input<typeof renewRequestSchema>): Promise<Settled<RenewAnswer>> {
    return settle(this.#renewals.submit(parseRequest(renewRequestSchema, request)));
  }

  /** Ends a live lease. `lost`: there is no such live lease; nobody else's is touched. */
  async release(request: z.input<typeof releaseRequestSchema>): Promise<Settled<ReleaseAnswer>> {
    return settle(this.#releases.submit(parseRequest(releaseRequestSchema, request)));
  }

  /**
   * Frees a lock against its holder's will and records who did it and why. The old holder may still be running: it
   * learns of it at its next renewal, and a resource that checks fencing tokens refuses it.
   */
  async forceRelease(
    request: z.input<typeof forceReleaseRequestSchema>,
  ): Promise<Settled<ForceReleaseAnswer>> {
    const [answer] = await this.store.forceRelease([parseRequest(forceReleaseRequestSchema, request)]);
    return settle(Promise.resolve(answer!));
  }

  /** The lock as it is now; null when the store knows no such name. */
  async inspect(lockName: string): Promise<LockRecord | null> {
    const [record] = await this.store.inspect([parseRequest(lockNameSchema, lockName, 'lockName')]);
    return record!;
  }

  /** One page of the locks that match; by default the first 50, by name. */
  async list(query: z.input<typeof listQuerySchema> = {}): Promise<LockPage> {
    return this.store.list(parseRequest(listQuerySchema, query, 'query'));
  }

  countByState(): Promise<StateCounts> {
    return this.store.countByState();
  }

  /** What operators did to the lock, the newest first: at most `limit` (1 to 1,000) records. */
  async history(lockName: string, limit = 100): Promise<HistoryRecord[]> {
    return this.store.history(
      parseRequest(lockNameSchema, lockName, 'lockName'),
      parseRequest(historyLimitSchema, limit, 'limit'),
    );
  }

  /** Marks expired leases as released and returns how many there were. They are free even before. */
  clearExpired(): Promise<number> {
    return this.store.clearExpired();
  }

  /** Removes locks that nobody has used for so many milliseconds (at least a minute) and returns how many. */
  async removeIdle(retention: number): Promise<number> {
    if (!(retention >= 60_000))
      throw new InvalidLockRequestError([
        { field: 'retention', rule: 'must be at least 60000 milliseconds' },
      ]);
    return this.store.removeIdle(retention);
  }

  /** Resolves when the store answers. */
  ping(): Promise<void> {
    return this.store.ping();
  }
}

async function settle<Answer extends { outcome: string }>(
  pending: Promise<Answer | ErrorAnswer>,
): Promise<Exclude<Answer, ErrorAnswer>> {
  let answer: Answer | ErrorAnswer;
  try {
    answer = await pending;
  } catch (error) {
    if (error instanceof QueuedTooLongError) throw new StoreUnavailableError(error.message, { cause: error });
    throw error;
  }
  if (answer.outcome === 'error') throw (answer as ErrorAnswer).error;
  return answer as Exclude<Answer, ErrorAnswer>;
}

import { Logger } from '@nestjs/common';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ignoreAbort, onAbort, orAborted, type Abortable } from '../lease/abort-call.js';
import { monotonicNow } from '../lease/clock.js';
import { trustedUntil } from '../lease/deadline.js';
import {
  ClientClosedError,
  LeaseLostError,
  OverloadedError,
  StoreUnavailableError,
} from '../lease/errors.js';
import type { LockEventSink } from '../events/lock-events.js';
import { modeOf } from '../lease/modes.js';
import type { WaitingAcquireRequest } from '../lease/requests.js';
import { NOWHERE, Roster } from '../lease/roster.js';
import type { ClientTelemetry } from '../telemetry/telemetry.js';
import type { AcquireTraced } from '../telemetry/traces.js';
import { splitReentrant, type BasicAcquireOptions, type Reentrancy } from './acquire-options.js';
import type { BasicLease, LeaseObserver } from './basic-lease.js';
import { Hold, holdHere } from './lease-context.js';
import type { Lease as RenewableLease } from './lease.js';
import type {
  AcquireOutcome,
  BasicConfirmation,
  BasicTransport,
  BusyHolder,
  LeaseKey,
  ReleaseOutcome,
} from './lock-transport.js';
import { promised } from './promised.js';
import { Refusal, orNull, orThrow } from './refusal.js';
import { splitOptions, workUnder, type OptionalOptions, type Work } from './work.js';

/** The pauses before an attempt is repeated, in milliseconds: the first one is up to twice as long. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

/** The pauses between the looks for what an attempt without an answer may have acquired, in milliseconds. */
const UNWANTED_PAUSES = [1_000, 5_000];

/** What a client needs to know beside the way to its server. */
export interface ClientSettings {
  /** TTL of a lease that names none, in ms. */
  ttl: number;
  workerName: string;
  /** How often an attempt whose outcome is unknown is repeated, with the same grantId. */
  retries: number;
  /** Where to tell what happens, as far as the server doesn't tell it in this process. */
  events?: LockEventSink;
  /** Who is told, in numbers and spans, what goes on. */
  telemetry?: ClientTelemetry | undefined;
}

/** One acquisition: what is asked for, and how. */
export interface Acquisition {
  request: WaitingAcquireRequest;
  signal?: AbortSignal;
  keepAlive: boolean;
  /** Milliseconds, from the start of the lease. */
  minHold: number;
  /** The caller chose the grantId and may repeat it: then a lease that nobody confirmed is the caller's to release. */
  callersGrant: boolean;
}

/** How one or several locks are asked for, in one request. */
interface Ask<Confirmation extends BasicConfirmation> {
  /** The leases that it may bring. */
  keys: readonly LeaseKey[];
  /** Milliseconds that the locks may be waited for. */
  wait: number;
  signal?: AbortSignal;
  callersGrant: boolean;
  /** Sends the request once; it may wait for so many milliseconds. */
  send(wait: number, signal?: AbortSignal): Promise<AcquireOutcome<Confirmation>>;
}

/** How one or several locks are asked for, and held. */
export interface Acquiring<Confirmation extends BasicConfirmation, Result> extends Ask<Confirmation> {
  /**
   * Makes of what was confirmed what is held.
   * @param sentAt when the store was asked, on this process's monotonic clock
   * @param waited milliseconds that the locks were waited for
   */
  hold(confirmation: Confirmation, sentAt: number, waited: number): Result;
  /** Makes the answer of a refusal, or throws it. */
  refuse(refusal: Refusal): Result;
}

/** What is known of the attempts of one acquire. */
interface Trail {
  /** When the last one was sent, on this process's monotonic clock. */
  sentAt: number;
  /** Whether one of them may have been granted unheard. */
  isUnknown: boolean;
}

/** An answer that took longer than this part of the lease is asked for again: what counts is when a request was sent. */
const STALE = 0.1;

/** Runs a work under a lock. */
export type WorkRunner<Lease> = <Result>(lockName: string, work: Work<Lease, Result>) => Promise<Result>;

/** What all lock clients do alike, whatever server they speak to. */
export abstract class BasicLockClient<
  Lease extends BasicLease,
  Options extends BasicAcquireOptions,
  Confirmation extends BasicConfirmation = BasicConfirmation,
> implements AsyncDisposable {
  protected readonly logger = new Logger('DbLock');
  readonly #live = new Roster<BasicLease>();
  readonly #closing = new AbortController();
  /** Set from the first call of `close` on. */
  #closed?: Promise<void>;
  readonly #telemetry?: ClientTelemetry;
  readonly #stopWatching?: () => void;

  constructor(
    protected readonly settings: ClientSettings,
    private readonly basicTransport: BasicTransport<Confirmation>,
  ) {
    setMaxListeners(0, this.#closing.signal); // it may end thousands of waits
    this.#telemetry = settings.telemetry;
    this.#stopWatching = this.#telemetry?.watch({ leases: () => this.#live.size });
  }

  /**
   * Runs the work under the lock and releases it, whatever becomes of the work, whose result or error is passed on as it is.
   * @throws LockBusyError when somebody else holds the lock and `wait` has run out; the work has not begun.
   * @throws StoreUnavailableError when the server does not answer; the work has not begun.
   * @throws InvalidLockRequestError when the name or an option breaks a rule.
   */
  withLock<Result>(lockName: string, work: Work<Lease, Result>): Promise<Result>;
  withLock<Result>(
    lockName: string,
    options: Options & Reentrancy,
    work: Work<Lease, Result>,
  ): Promise<Result>;
  async withLock<Result>(
    lockName: string,
    ...rest: OptionalOptions<Options & Reentrancy, Work<Lease, Result>>
  ): Promise<Result> {
    const [options, work] = splitOptions(rest);
    const [acquireOptions, reentrant] = splitReentrant<Options>(options);
    return this.#workUnder(this.prepare(lockName, acquireOptions, true), reentrant, work);
  }

  /**
   * @internal Checks the options of works, once for all of them; returns what runs one under a lock, as `withLock` does.
   * @throws InvalidLockRequestError
   */
  worksWith(options: Options & Reentrancy): WorkRunner<Lease> {
    const [acquireOptions, reentrant] = splitReentrant<Options>(options);
    const template = this.prepare('any', acquireOptions, true);
    return (lockName, work) =>
      promised(() => this.#workUnder(this.another(template, lockName), reentrant, work));
  }

  /**
   * Takes the lock.
   * @throws LockBusyError when somebody else holds it and `wait` has run out.
   * @throws StoreUnavailableError when the server does not answer: neither busy nor free.
   * @throws LeaseLostError when the answer came too late to be a lease.
   * @throws InvalidLockRequestError when the name or an option breaks a rule.
   */
  acquire(lockName: string, options?: Options): Promise<Lease> {
    return this.#acquireOr(orThrow, lockName, options);
  }

  /** Like `acquire`, but null when the lock is busy and `wait` has run out. Null means busy; an exception means failure. */
  tryAcquire(lockName: string, options?: Options): Promise<Lease | null> {
    return this.#acquireOr(orNull, lockName, options);
  }

  /** Releases every lease that is still held, lets nobody wait any longer, and refuses new ones. The application's shutdown calls it. */
  close(): Promise<void> {
    if (this.#closed) return this.#closed;
    // Whom it tells may close it, too, or ask for more: it is closed before anybody hears of it.
    let end!: (closing: Promise<void>) => void;
    this.#closed = new Promise((resolve) => (end = resolve));
    end(this.#close());
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new ClientClosedError());
    const leases = [...this.#live];
    for (const lease of leases) lease.lose('shutdown');
    await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()));
    this.#stopWatching?.();
    await this.basicTransport.close();
  }

  /** For `await using`: closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Checks the name and the options, and fills in the defaults. */
  protected abstract prepare(lockName: string, options: Options | undefined, keepAlive: boolean): Acquisition;

  /** Another acquisition with the same options, of another lock. Checks the name. */
  protected abstract another(acquisition: Acquisition, lockName: string): Acquisition;

  /** Makes the handle of a lease that was just confirmed. */
  protected abstract lease(acquisition: Acquisition, confirmation: Confirmation, sentAt: number): Lease;

  protected readonly observer: LeaseObserver = {
    release: (key, minHold) => this.#release(key, minHold),
    ended: (lease) => {
      this.#live.delete(lease);
      this.#telemetry?.ended(lease);
      this.#telemetry?.traces?.end(lease);
    },
    lost: (lease, error) => {
      if (error.reason !== 'shutdown') this.logger.warn(error.message);
      this.#telemetry?.lost(lease.lockName, error.reason);
      this.#telemetry?.traces?.end(lease, error.reason);
      this.settings.events?.emit({ type: 'lost', ...shown(lease), reason: error.reason });
    },
    releaseFailed: (lease, error) => {
      this.logger.warn(`Lock ${JSON.stringify(lease.lockName)} could not be released: ${messageOf(error)}`);
    },
  };

  async #workUnder<Result>(
    acquisition: Acquisition,
    reentrant: boolean,
    work: Work<Lease, Result>,
  ): Promise<Result> {
    acquisition.signal?.throwIfAborted();
    const { lockName, share } = acquisition.request;
    const outer = holdHere(this, lockName, share);
    const hold = (reentrant ? outer : undefined) ?? new Hold(this, await this.#acquire(acquisition, orThrow));
    return workUnder([hold], () => work(hold.lease as Lease));
  }

  #acquireOr<Refused>(
    refuse: (refusal: Refusal) => Refused,
    lockName: string,
    options: Options | undefined,
  ): Promise<Lease | Refused> {
    return promised(() => {
      const acquisition = this.prepare(lockName, options, false);
      holdHere(this, acquisition.request.lockName, acquisition.request.share); // may refuse it
      return this.#acquire(acquisition, refuse);
    });
  }

  #acquire<Refused>(
    acquisition: Acquisition,
    refuse: (refusal: Refusal) => Refused,
  ): Promise<Lease | Refused> {
    const { request, signal, callersGrant } = acquisition;
    return this.confirm<Confirmation, Lease | Refused>({
      keys: [request],
      wait: request.wait,
      signal,
      callersGrant,
      send: (wait, aborted) =>
        this.basicTransport.acquire(wait === request.wait ? request : { ...request, wait }, aborted),
      hold: (confirmation, sentAt, waited) =>
        this.keep(this.lease(acquisition, confirmation, sentAt), waited),
      refuse,
    });
  }

  /** Tells of the lease; releases it at the shutdown, should it still be held then. */
  protected keep<Held extends BasicLease>(lease: Held, waited: number): Held {
    this.#live.add(lease);
    this.#telemetry?.began(lease);
    this.#telemetry?.traces?.hold(lease);
    this.teller?.emit({ type: 'acquired', ...shown(lease), wait: waited });
    return lease;
  }

  /** Where to tell what happened, unless the server does. */
  protected get teller(): LockEventSink | undefined {
    return this.basicTransport.tells ? undefined : this.settings.events;
  }

  /**
   * Asks until the answer is known: a refusal, or what was granted, in time to be a lease.
   * @throws StoreUnavailableError, LeaseLostError, ClientClosedError, or the signal's reason.
   */
  protected confirm<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
  ): Promise<Result> {
    if (this.#closed) return Promise.reject(new ClientClosedError());
    if (ask.signal?.aborted) return Promise.reject(ask.signal.reason as Error);
    const traces = this.#telemetry?.traces;
    if (!traces) return this.#confirmUntraced(ask);
    return traces.acquire(traced(ask), this.#isRemote, () => this.#confirmUntraced(ask));
  }

  #confirmUntraced<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
  ): Promise<Result> {
    return ask.wait > 0 ? this.#confirmPatiently(ask) : this.#confirm(ask, ask.signal);
  }

  get #isRemote(): boolean {
    return !this.basicTransport.tells;
  }

  /** Who waits gives up with the caller's signal, and when the client closes: it must not hold up the shutdown. */
  #confirmPatiently<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
  ): Promise<Result> {
    if (!ask.signal) return this.#confirm(ask, this.#closing.signal);
    const signals = new EitherSignal(ask.signal, this.#closing.signal);
    return this.#confirm(ask, signals.either).finally(() => signals.ignore());
  }

  /** Nearly every first attempt is answered, and soon: then there is nothing more to do. */
  #confirm<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const began = monotonicNow();
    const first = this.#attempt(ask, ask.wait, signal);
    return first.then(
      (answer) =>
        isStale(ask, answer, began)
          ? this.#persist(ask, first, began, signal)
          : this.#answered(ask, answer, began, began),
      () => this.#persist(ask, first, began, signal),
    );
  }

  /** Asks again after a first attempt that failed, or whose answer took so long that little of the lease could be trusted. */
  async #persist<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
    first: Promise<AcquireOutcome<Granted>>,
    began: number,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const trail: Trail = { sentAt: began, isUnknown: false };
    let answer: AcquireOutcome<Granted>;
    try {
      try {
        answer = await first;
      } catch (error) {
        answer = await this.#askAgain(ask, trail, began + ask.wait, signal, error);
      }
      if (isStale(ask, answer, trail.sentAt)) {
        answer = await this.#askAgain(ask, trail, -Infinity, signal);
        if (answer.outcome === 'busy') throw new LeaseLostError(ask.keys[0]!.lockName, 'refused');
      }
    } catch (error) {
      if (trail.isUnknown || (signal?.aborted && !this.basicTransport.cancels)) this.#releaseUnwanted(ask);
      this.#tellAcquire(ask, signal?.aborted ? 'abandoned' : 'error', began);
      throw error;
    }
    // A refusal is thrown here, if at all: after it, there is nothing to release.
    return this.#answered(ask, answer, began, trail.sentAt);
  }

  /** @param failure of the attempt before; undefined when that was answered */
  #askAgain<Granted extends BasicConfirmation>(
    ask: Ask<Granted>,
    trail: Trail,
    deadline: number,
    signal: AbortSignal | undefined,
    failure?: unknown,
  ): Promise<AcquireOutcome<Granted>> {
    trail.isUnknown ||= failure instanceof StoreUnavailableError;
    const attempt = async (wait: number) => {
      trail.sentAt = monotonicNow();
      try {
        return await this.#attempt(ask, wait, signal);
      } catch (error) {
        trail.isUnknown ||= error instanceof StoreUnavailableError;
        throw error;
      }
    };
    return this.#repeatUnknown(attempt, deadline, signal, failure);
  }

  /** Asks once. What is granted when the signal has aborted and nobody waits for it any more is released. */
  #attempt<Granted extends BasicConfirmation>(
    ask: Ask<Granted>,
    wait: number,
    signal: AbortSignal | undefined,
  ): Promise<AcquireOutcome<Granted>> {
    const answer = ask.send(wait, signal);
    const { cancels } = this.basicTransport;
    if (signal === undefined || (ask.wait > 0 && cancels)) return answer;
    // Without `cancels`, whoever gives up releases at once what may have been granted; this is for what comes late.
    return orAborted(answer, signal, (unheard) => {
      if (unheard.outcome === 'granted') this.#releaseUnwanted(ask);
    });
  }

  #answered<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
    answer: AcquireOutcome<Granted>,
    began: number,
    sentAt: number,
  ): Result {
    if (answer.outcome === 'busy') {
      this.#tellAcquire(ask, 'busy', began);
      return ask.refuse(this.#refused(ask, answer.holder));
    }
    return this.#confirmed(ask, answer, began, sentAt);
  }

  #tellAcquire(
    { keys }: Pick<Ask<never>, 'keys'>,
    outcome: 'busy' | 'abandoned' | 'error',
    began: number,
  ): void {
    this.#telemetry?.acquired(keys[0]!, outcome, began, monotonicNow());
  }

  #refused(ask: Ask<BasicConfirmation>, busy: BusyHolder): Refusal {
    const refusal = new Refusal(busy);
    this.teller?.emit({
      type: 'busy',
      lockName: refusal.lockName,
      workerName: ask.keys[0]!.workerName,
      share: ask.keys[0]!.share,
      holder: refusal.holder,
    });
    return refusal;
  }

  /** @throws ClientClosedError, LeaseLostError when the grant came too late to be a lease */
  #confirmed<Granted extends BasicConfirmation, Result>(
    ask: Acquiring<Granted, Result>,
    granted: Extract<AcquireOutcome<Granted>, { outcome: 'granted' }>,
    began: number,
    asked: number,
  ): Result {
    const now = monotonicNow();
    const { lease, sentAt = asked } = granted;
    const isOver = trustedUntil(sentAt, lease.timeLeft) <= now;
    const isHeld = !this.#closed && !isOver;
    this.#telemetry?.acquired(ask.keys[0]!, isHeld ? 'granted' : 'error', began, now);
    if (isHeld) return ask.hold(lease, sentAt, ask.wait > 0 ? now - began : 0);
    this.#releaseUnwanted(ask);
    throw this.#closed ? new ClientClosedError() : new LeaseLostError(ask.keys[0]!.lockName, 'deadline');
  }

  #release(key: LeaseKey, minHold?: number): Promise<ReleaseOutcome> {
    const traces = this.#telemetry?.traces;
    if (!traces) return this.#releaseUntraced(key, minHold);
    const { lockName, workerName } = key;
    const lease = { lockName, workerName, mode: modeOf(key) };
    return traces.release(lease, this.#isRemote, () => this.#releaseUntraced(key, minHold));
  }

  #releaseUntraced(key: LeaseKey, minHold?: number): Promise<ReleaseOutcome> {
    return this.basicTransport.release(key, minHold).then(
      (answer) => this.#told(key, answer),
      (error: unknown) => this.#releaseAgain(key, minHold, error),
    );
  }

  async #releaseAgain(key: LeaseKey, minHold: number | undefined, failure: unknown): Promise<ReleaseOutcome> {
    await this.#repeatUnknown(
      () => this.basicTransport.release(key, minHold),
      -Infinity,
      undefined,
      failure,
      true,
    );
    // A lease that is gone now may have been ended by an attempt that got no answer.
    return this.#told(key, { outcome: 'released' });
  }

  #told(key: LeaseKey, answer: ReleaseOutcome): ReleaseOutcome {
    if (answer.outcome === 'released') this.teller?.emit({ type: 'released', ...key });
    return answer;
  }

  /** Frees, in the background, what an attempt that was given up may have acquired. Failing that, the TTL frees it. */
  #releaseUnwanted({ keys, callersGrant }: Pick<Ask<never>, 'keys' | 'callersGrant'>): void {
    if (callersGrant) return;
    for (const key of keys)
      this.#releaseOnceThere(key).catch((error: unknown) => {
        this.logger.debug(
          `Lock ${JSON.stringify(key.lockName)} may be held until its TTL: ${messageOf(error)}`,
        );
      });
  }

  /** The acquire may be under way still: a lease that is not there yet is looked for again. */
  async #releaseOnceThere(key: LeaseKey): Promise<void> {
    for (const pause of [...UNWANTED_PAUSES, undefined]) {
      const { outcome } = await this.basicTransport.release(key);
      if (outcome === 'released' || pause === undefined || this.#closed) return;
      await sleep(pause, undefined, { ref: false });
    }
  }

  /** Asks until the answer is known, as often as the client's `retries` say, and with pauses between. */
  protected persistently<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
    return this.#repeatUnknown(attempt, -Infinity);
  }

  /**
   * Unknown is neither busy nor free: ask again, with the same grantId, then report the error. Who may wait until
   * `deadline` goes on until then, also when the server is overloaded.
   * @param failure what came of the first attempt; undefined where there was none yet
   */
  async #repeatUnknown<Answer>(
    attempt: (wait: number) => Promise<Answer>,
    deadline: number,
    signal?: AbortSignal,
    failure?: unknown,
    repeatable = this.basicTransport.repeatable,
  ): Promise<Answer> {
    for (let retry = 0; ;) {
      if (failure !== undefined) {
        const isOverloaded = failure instanceof OverloadedError;
        if (!(isOverloaded || failure instanceof StoreUnavailableError)) throw failure as Error;
        signal?.throwIfAborted();
        const isOver = monotonicNow() >= deadline;
        if (isOverloaded && isOver) throw failure as Error;
        if (!repeatable || (retry >= this.settings.retries && isOver)) throw failure as Error;
        await pauseBefore(retry++, signal);
      }
      try {
        return await attempt(Math.max(0, Math.ceil(deadline - monotonicNow())));
      } catch (error) {
        failure = error;
      }
    }
  }
}

/** What a trace tells of an acquire. */
function traced({ keys, wait, signal }: Pick<Ask<never>, 'keys' | 'wait' | 'signal'>): AcquireTraced {
  const [{ workerName, share }] = keys as [LeaseKey];
  return {
    lockNames: keys.map(({ lockName }) => lockName),
    workerName,
    mode: modeOf({ share }),
    wait,
    signal,
  };
}

/** Whether a grant that was waited for was asked for so long ago that little of its lease could be trusted. */
function isStale(
  { wait }: { wait: number },
  answer: AcquireOutcome<BasicConfirmation>,
  sentAt: number,
): boolean {
  if (wait === 0 || answer.outcome !== 'granted' || answer.sentAt !== undefined) return false;
  return monotonicNow() - sentAt > STALE * answer.lease.timeLeft;
}

/** A signal that aborts with the first of two, until both are ignored. */
class EitherSignal {
  readonly #controller = new AbortController();
  readonly #calls: ReadonlyArray<[AbortSignal, Abortable]>;

  constructor(...signals: AbortSignal[]) {
    this.#calls = signals.map((signal) => [
      signal,
      { place: NOWHERE, abort: (reason) => this.#controller.abort(reason) },
    ]);
    for (const [signal, call] of this.#calls) onAbort(signal, call);
  }

  get either(): AbortSignal {
    return this.#controller.signal;
  }

  ignore(): void {
    for (const [signal, call] of this.#calls) ignoreAbort(signal, call);
  }
}

/** Longer before every retry, and of random length, so that many who failed together don't come back together. */
async function pauseBefore(retry: number, signal?: AbortSignal): Promise<void> {
  const milliseconds = Math.min(FIRST_PAUSE * 2 ** retry * (1 + Math.random()), LONGEST_PAUSE);
  if (signal) setMaxListeners(0, signal); // one may give up thousands
  await sleep(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

/** What may be told of a lease: the token where there is one. */
function shown(lease: BasicLease & Partial<RenewableLease>) {
  const { lockName, workerName, fencingToken, expireTime, mode, permits, limit } = lease;
  const share = mode === 'shared' ? { permits: permits!, limit: limit! } : undefined;
  return { lockName, workerName, fencingToken, expireTime, share };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The options without those that are undefined, which must not hide a default. */
export function definedOnly(options: object | undefined): object {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined));
}

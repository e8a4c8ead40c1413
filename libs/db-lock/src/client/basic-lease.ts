import type { AsyncResource } from 'node:async_hooks';
import { inspect, type InspectOptions } from 'node:util';
import { Deadline } from '../lease/deadline.js';
import { LeaseLostError, type LostReason } from '../lease/errors.js';
import { NOWHERE, type Listed } from '../lease/roster.js';
import type { LeaseKey, ReleaseOutcome } from './lock-transport.js';
import { promised } from './promised.js';
import { sharedClasses } from '../lease/copies.js';

/** What a lease reports to the client that granted it. */
export interface LeaseObserver {
  /** Sends the release, with retries. */
  release(key: LeaseKey, minHold?: number): Promise<ReleaseOutcome>;
  /** The lease is no longer live here: it was lost, or its release has been answered. */
  ended(lease: BasicLease): void;
  lost(lease: BasicLease, error: LeaseLostError): void;
  /** A release failed where nobody looks at its result. */
  releaseFailed(lease: BasicLease, error: unknown): void;
}

type State = 'held' | 'lost' | 'released';

/**
 * One grant of a lock, as every lock server can give it. It counts as lost from the local deadline on, whether or not
 * the server can be asked.
 */
export class BasicLease implements Listed {
  #state: State = 'held';
  #lostError?: LeaseLostError;
  #controller?: AbortController;
  #releasing?: Promise<void>;
  /** Private at run time, too: a logger that copies the properties of what it is given finds no key. */
  readonly #key: LeaseKey;
  readonly #observer: LeaseObserver;
  readonly #minHold?: number;
  readonly #deadline = new Deadline(this);
  #place = NOWHERE;

  /** @internal Leases are made by the client. */
  constructor(key: LeaseKey, observer: LeaseObserver, deadline: number, minHold?: number) {
    this.#key = key;
    this.#observer = observer;
    this.#minHold = minHold;
    this.trustUntil(deadline);
  }

  /** The name of the lock. */
  get lockName(): string {
    return this.#key.lockName;
  }

  /** Who holds it. */
  get workerName(): string {
    return this.#key.workerName;
  }

  /**
   * Aborts, with a `LeaseLostError` as its reason, when the lease is lost: the work must stop. At most once, at the
   * latest at the local deadline (the moment the last confirmed request was sent + its TTL − a margin), and never after a release.
   */
  get signal(): AbortSignal {
    this.#checkDeadline();
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#lostError) this.#controller.abort(this.#lostError);
    }
    return this.#controller.signal;
  }

  /** Milliseconds for which the lease may still be trusted without another confirmation; 0 when it is over. */
  get timeLeft(): number {
    this.#checkDeadline();
    return this.#state === 'held' ? this.#deadline.timeLeft : 0;
  }

  /**
   * Ends the lease. Repeating it is harmless and tells the same.
   * @throws LeaseLostError when the server no longer knew the lease: somebody else may have held the lock meanwhile.
   * @throws StoreUnavailableError when the server could not be asked: the lease runs to its end.
   */
  release(): Promise<void> {
    return (this.#releasing ??= promised(() => this.#release()));
  }

  /** Releases at the end of an `await using` block. Never throws: a failure is logged, the lease runs to its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch((error: unknown) => this.#observer.releaseFailed(this, error));
  }

  /** What may be shown and logged of it: never the key. */
  toJSON(): object {
    const { lockName, workerName } = this;
    return { lockName, workerName };
  }

  /** Shown by `console.log` as `toJSON` has it. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `${this.constructor.name} ${inspect(this.toJSON(), options)}`;
  }

  /** @internal Among the live leases of its client. */
  get place(): number {
    return this.#place;
  }

  /** @internal */
  set place(place: number) {
    this.#place = place;
  }

  /** @internal */
  protected get key(): LeaseKey {
    return this.#key;
  }

  /** @internal Ends the trust in the lease. Only the first call counts, and none after a release. */
  lose(reason: LostReason): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#lostError = new LeaseLostError(this.lockName, reason);
    this.stop();
    this.#observer.lost(this, this.#lostError);
    this.#observer.ended(this);
    this.#controller?.abort(this.#lostError);
  }

  /** @internal The asynchronous context in which it was acquired. */
  protected get scope(): AsyncResource {
    return this.#deadline;
  }

  /** @internal */
  protected trustUntil(deadline: number): void {
    this.#deadline.moveTo(deadline);
  }

  /** @internal Ends whatever runs for the lease's sake. */
  protected stop(): void {
    this.#deadline.clear();
  }

  /** @internal @throws LeaseLostError when the lease is no longer held. */
  protected assertHeld(): void {
    this.#checkDeadline();
    if (this.#state !== 'held') throw this.#loss;
  }

  /** A timer may be late, after a paused process for instance; the clock is not. */
  #checkDeadline(): void {
    if (this.#state === 'held' && this.#deadline.timeLeft === 0) this.lose('deadline');
  }

  #release(): Promise<void> {
    this.#checkDeadline();
    if (this.#lostError?.reason === 'refused') return Promise.reject(this.#lostError);
    if (this.#state === 'held') this.#state = 'released';
    this.stop();
    return this.#observer.release(this.key, this.#minHold).then(
      ({ outcome }) => this.#answered(outcome),
      (error: unknown) => {
        this.#observer.ended(this);
        throw error;
      },
    );
  }

  /** @throws LeaseLostError */
  #answered(outcome: ReleaseOutcome['outcome']): void {
    this.#observer.ended(this);
    if (outcome === 'lost') throw this.#loss;
  }

  get #loss(): LeaseLostError {
    return this.#lostError ?? new LeaseLostError(this.lockName, 'refused');
  }
}

sharedClasses({ BasicLease });

import { ignoreAbort, onAbort, type Abortable } from '../lease/abort-call.js';
import { monotonicNow } from '../lease/clock.js';
import { StoreUnavailableError } from '../lease/errors.js';
import type { Share } from '../lease/modes.js';
import type { AcquireRequest } from '../lease/requests.js';
import { NOWHERE } from '../lease/roster.js';
import { Timer } from '../lease/timer.js';
import type { Absence } from '../store/coalescer.js';
import type { HolderRecord, LeaseRecord } from '../store/lock-store.js';

/** What one attempt of somebody who waits comes to. */
export type Decision<Granted> =
  /** `lease` is that of the lock in whose line it waited. */
  | { outcome: 'granted'; granted: Granted; lease: LeaseRecord }
  | { outcome: 'busy'; holder: HolderRecord }
  | { outcome: 'error'; error: Error };

/** What somebody who waits gets in the end. */
export type WaitOutcome<Granted> =
  /** `sentAt`: when the store was asked for it, on this process's monotonic clock. */
  { outcome: 'granted'; granted: Granted; sentAt: number } | { outcome: 'busy'; holder: HolderRecord };

export interface QueuedAcquireOptions<Granted> {
  workerName: string;
  grantId: string;
  /** Milliseconds to wait at most. */
  wait: number;
  signal?: AbortSignal;
  /**
   * Asks the store, once, for what is waited for, from that place in the lock's queue; null without one, undefined for who stands in
   * no line. Never rejects.
   * @param absence tells whether the answer still matters
   */
  attempt(ticket: number | null | undefined, lockName: string, absence?: Absence): Promise<Decision<Granted>>;
  /** Undoes a grant that came when nobody waited for it any more. */
  giveBack(granted: Granted): void;
  /** Told when it stands in line for a lock that is known to be busy. */
  onQueued?(holder: HolderRecord): void;
  /** What it takes of the lock, where it may be let in together with others of its line. */
  share?: Share;
  /** What it takes of a lock in shared mode, in whose queue it stands. */
  shareOf?(lockName: string): Share | undefined;
  /** How the lock can be passed on to it; undefined for one that needs more than this lock. */
  succession?: { request: AcquireRequest; accept(lease: LeaseRecord): Granted };
}

/** The line in which somebody waits. */
export interface Line {
  readonly lockName: string;
  /** Who keeps the lock busy, as it was told at last; undefined when nobody knows. */
  readonly holder: HolderRecord | undefined;
  /** Why the store did not answer at last, if it didn't. */
  readonly failure: Error | undefined;
  leave(waiter: QueuedAcquire): void;
}

/** Somebody who waits in a lock's line, until the lock is granted, the time is over, or the caller gives up. */
export class QueuedAcquire<Granted = unknown> implements Abortable {
  place = NOWHERE;
  /** The place in the lock's queue; null while it has none. */
  ticket: number | null = null;
  line?: Line;
  readonly result: Promise<WaitOutcome<Granted>>;
  #waiting = true;
  readonly #timer = new Timer(() => this.#giveUp(), true);
  #resolve!: (outcome: WaitOutcome<Granted>) => void;
  #reject!: (reason: unknown) => void;

  /** @param deadline on this process's monotonic clock */
  constructor(
    readonly options: QueuedAcquireOptions<Granted>,
    private readonly deadline = monotonicNow() + options.wait,
  ) {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (options.signal) onAbort(options.signal, this);
    this.#timer.set(deadline);
  }

  get isWaiting(): boolean {
    return this.#waiting;
  }

  /** Since when it waits, on this process's monotonic clock. */
  get since(): number {
    return this.deadline - this.options.wait;
  }

  /** Hands the grant over; gives it back when nobody waits for it any more. */
  grant(granted: Granted, sentAt: number): void {
    if (this.#end()) this.#resolve({ outcome: 'granted', granted, sentAt });
    else this.options.giveBack(granted);
  }

  fail(reason: unknown): void {
    if (this.#end()) this.#reject(reason);
  }

  abort(reason: unknown): void {
    this.fail(reason);
  }

  /** The line has heard from the store: whose time is over has its answer now. */
  heard(): void {
    if (this.deadline <= monotonicNow()) this.#giveUp();
  }

  /**
   * The time is over: busy, or "don't know" where the store did not answer. A wait is at least a try: while the store has
   * said nothing yet, its answer is waited for, as one who only tries does.
   */
  #giveUp(): void {
    const { holder, failure } = this.line ?? {};
    if (this.line && !holder && !failure) return;
    if (!this.#end()) return;
    if (holder && !failure) this.#resolve({ outcome: 'busy', holder });
    else
      this.#reject(
        failure ?? new StoreUnavailableError('The lock store did not answer while the caller waited.'),
      );
  }

  /** Whether it was still waiting. */
  #end(): boolean {
    if (!this.#waiting) return false;
    this.#waiting = false;
    this.#timer.stop();
    if (this.options.signal) ignoreAbort(this.options.signal, this);
    this.line?.leave(this as QueuedAcquire);
    return true;
  }
}

import { ignoreAbort, onAbort, type Abortable } from '../lease/abort-call.js';
import { monotonicNow } from '../lease/clock.js';
import { StoreUnavailableError } from '../lease/errors.js';
import { NOWHERE } from '../lease/roster.js';
import type { Absence } from '../store/coalescer.js';
import {
  QueuedAcquire,
  type Decision,
  type QueuedAcquireOptions,
  type WaitOutcome,
} from './queued-acquire.js';
import type { WaitingLine } from './waiting-line.js';

/** What a try needs of the room that it is made in. */
export interface TryKeeper {
  /** It is over, or its maker stands in line now. */
  tried(first: FirstTry): void;
  /** A line for the lock, which has none. */
  newLine(lockName: string): WaitingLine;
}

/**
 * The try of one who would wait, where nobody stands in line: nearly every lock is free, and a line costs three times as much. Its maker
 * becomes the first in a line when somebody else comes before it is answered, and when it is refused.
 */
export class FirstTry<Granted = unknown> implements Abortable, Absence {
  place = NOWHERE;
  readonly result: Promise<WaitOutcome<Granted>>;
  readonly #sentAt = monotonicNow();
  readonly #deadline: number;
  readonly #decision: Promise<Decision<Granted>>;
  #resolve!: (outcome: WaitOutcome<Granted> | Promise<WaitOutcome<Granted>>) => void;
  #reject!: (reason: unknown) => void;
  #isOver = false;
  #isInLine = false;
  #again = false;

  constructor(
    readonly lockName: string,
    private readonly options: QueuedAcquireOptions<Granted>,
    private readonly keeper: TryKeeper,
  ) {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#deadline = this.#sentAt + options.wait;
    if (options.signal) onAbort(options.signal, this);
    this.#decision = options.attempt(undefined, lockName, this);
    void this.#decision.then((decision) => this.#decided(decision));
  }

  abort(reason: unknown): void {
    if (this.#end()) this.#reject(reason);
  }

  /** Whether nobody waits for the answer any more. */
  get aborted(): boolean {
    return this.#isOver && !this.#isInLine;
  }

  get reason(): unknown {
    return this.options.signal?.reason as unknown;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  /** The lock has come free, perhaps after the store has looked. */
  wake(): void {
    this.#again = true;
  }

  /** Somebody else has come: its maker stands before them, in a line that the try belongs to. */
  lineUp(): WaitingLine {
    const line = this.keeper.newLine(this.lockName);
    line.beginWithin(this.#queued(), this.#decision, this.#sentAt);
    if (this.#again) line.wake();
    return line;
  }

  #decided(decision: Decision<Granted>): void {
    if (this.#isOver) return this.#unheard(decision);
    const hasTime = monotonicNow() < this.#deadline;
    switch (decision.outcome) {
      case 'granted':
        this.#end();
        this.#resolve({ outcome: 'granted', granted: decision.granted, sentAt: this.#sentAt });
        break;
      case 'busy':
        if (hasTime) {
          this.keeper.newLine(this.lockName).beginRefused(this.#queued(), decision.holder, this.#again);
        } else {
          this.#end();
          this.#resolve(decision);
        }
        break;
      case 'error':
        if (hasTime && decision.error instanceof StoreUnavailableError) {
          this.keeper.newLine(this.lockName).beginFailed(this.#queued(), decision.error);
        } else {
          this.#end();
          this.#reject(decision.error);
        }
    }
  }

  /** In a line, it is heard there. */
  #unheard(decision: Decision<Granted>): void {
    if (this.#isInLine || decision.outcome !== 'granted') return;
    this.options.giveBack(decision.granted);
  }

  /** Its maker as one who waits in line; what becomes of that is the result. */
  #queued(): QueuedAcquire {
    this.#isInLine = true;
    this.#end();
    const waiter = new QueuedAcquire(this.options, this.#deadline);
    this.#resolve(waiter.result);
    return waiter as QueuedAcquire;
  }

  /** Whether it was not over. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    if (this.options.signal) ignoreAbort(this.options.signal, this);
    this.keeper.tried(this as FirstTry);
    return true;
  }
}

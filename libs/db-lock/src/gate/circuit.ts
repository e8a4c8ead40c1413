import { Logger } from '@nestjs/common';
import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleAll } from 'cockatiel';

/** So many failures in a row open the circuit. */
const FAILURES = 3;

/** After how many ms it is checked again whether there is an answer: while the circuit is closed, and while it is open. */
const CHECK_AGAIN = { closed: 300, open: 1_000 };

/** What a circuit leads to. */
export interface Line {
  /** Whether something can be sent just now. */
  readonly isReady: boolean;
  /** Resolves when there is an answer. */
  probe(): Promise<unknown>;
}

/**
 * The way to Redis, which is cut while Redis does not answer: then nothing is sent but a probe from time to time, and
 * nobody waits. It closes by itself.
 */
export class Circuit {
  readonly #logger = new Logger('DbLock');
  readonly #breaker = circuitBreaker(handleAll, {
    breaker: new ConsecutiveBreaker(FAILURES),
    // When to try again is up to the probes: cockatiel would ask the wall clock, which may be set.
    halfOpenAfter: -Infinity,
  });
  #timer?: NodeJS.Timeout;
  #isCut = false;
  #hasEnded = false;

  constructor(private readonly line: Line) {
    this.#breaker.onBreak((reason) => this.#cut('error' in reason ? reason.error.message : 'unknown'));
    this.#breaker.onReset(() => this.#mended());
  }

  /** Whether Redis does not answer, as far as it was asked. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Starts the work before it returns. Undefined when there is no answer, or nothing is asked at all; never rejects. */
  async run<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    if (!this.#isClosed) return undefined;
    if (!this.line.isReady) {
      this.#checkLater();
      return undefined;
    }
    return this.#attempt(work);
  }

  /** Probes now and, for as long as there is no answer, again and again. */
  async check(): Promise<void> {
    const answers = await this.#answers();
    // Work from before the cut may fail as late as during the probe, and cut again.
    if (!answers || !this.#isClosed) this.#checkLater();
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  get #isClosed(): boolean {
    return this.#breaker.state === CircuitState.Closed;
  }

  #checkLater(): void {
    if (this.#timer || this.#hasEnded) return;
    const pause = this.#isCut ? CHECK_AGAIN.open : CHECK_AGAIN.closed;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.check();
    }, pause);
    this.#timer.unref();
  }

  async #answers(): Promise<boolean> {
    return (await this.#attempt(() => this.line.probe().then(() => true))) ?? false;
  }

  async #attempt<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await this.#breaker.execute(work);
    } catch {
      return undefined;
    }
  }

  #cut(reason: string): void {
    if (this.#isCut || this.#hasEnded) return;
    this.#isCut = true;
    this.#logger.warn(`The Redis gate does not answer (${reason}): locks work, without it.`);
    this.#checkLater();
  }

  #mended(): void {
    this.#isCut = false;
    this.#logger.log('The Redis gate answers again.');
  }
}

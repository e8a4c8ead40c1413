import { exitCodeOfSignal } from './exit-codes.js';
import type { Surroundings } from './surroundings.js';

/** What ends us unless we do something about it. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** Hears signals until it is disposed of, so that they end nothing by themselves. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners: Array<[EndingSignal, () => void]>;
  #heard?: EndingSignal;
  /** Who hears of signals that come from now on. */
  pass?: (signal: EndingSignal) => void;

  constructor(private readonly signals: Surroundings['signals']) {
    this.#listeners = ENDING_SIGNALS.map((signal) => [signal, () => this.#hear(signal)]);
    for (const [signal, listener] of this.#listeners) signals.on(signal, listener);
  }

  /** Aborts with the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What to end with when a signal has come; undefined when none has. */
  get exitCode(): number | undefined {
    return this.#heard && exitCodeOfSignal(this.#heard);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) this.signals.off(signal, listener);
  }

  #hear(signal: EndingSignal): void {
    this.#heard ??= signal;
    this.#controller.abort();
    this.pass?.(signal);
  }
}

/**
 * Does the work with a signal that aborts when somebody wants us to end. What the work throws after that is what it was given up with.
 * @returns what the work says to end with, or the exit code of the signal that it was given up for
 */
export async function interruptible(
  { signals }: Surroundings,
  work: (interruption: Interruption) => Promise<number>,
): Promise<number> {
  using interruption = new Interruption(signals);
  try {
    return await work(interruption);
  } catch (error) {
    if (interruption.exitCode !== undefined) return interruption.exitCode;
    throw error;
  }
}

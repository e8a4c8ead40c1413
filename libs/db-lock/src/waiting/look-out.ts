import { monotonicNow } from '../lease/clock.js';
import { Timer } from '../lease/timer.js';

/** The shortest pause between two looks, in milliseconds. */
const SHORTEST = 5;

/** The longest pause at first: while some lock came free not so many times as long ago. Then the pauses grow on. */
const USUAL = { longest: 15, share: 16 };
const LATER = { longest: 100, share: 200 };

/** A look that took long is not followed by another one before so many times as long. */
const REST = 4;

/** What a look-out needs of the room that it is for. */
export interface LookOutKeeper {
  /** Whether anybody waits. */
  readonly isNeeded: boolean;
  /** The locks that somebody waits for, and that nobody asks for just now. */
  lockNames(): string[];
  /** Tells which of them are free for those who wait here. */
  look(lockNames: readonly string[]): Promise<readonly string[]>;
  /** One of them is. */
  free(lockName: string): void;
  failed(error: unknown): void;
}

/**
 * Looks whether locks came free, for all who wait on this server at once: for a store that notifies nobody. The sooner locks came free lately, the
 * more often.
 */
export class LookOut {
  #found = 0;
  #looking = false;
  readonly #timer = new Timer(() => void this.#look());

  constructor(private readonly keeper: LookOutKeeper) {}

  /** Somebody waits: looks from now on, until nobody does. */
  begin(): void {
    if (this.#looking || this.#timer.isSet) return;
    this.#found = monotonicNow();
    this.#timer.set(this.#found + SHORTEST);
  }

  stop(): void {
    this.#timer.stop();
  }

  async #look(): Promise<void> {
    if (!this.keeper.isNeeded) return;
    this.#looking = true;
    const begun = monotonicNow();
    try {
      const lockNames = this.keeper.lockNames();
      const freed = lockNames.length > 0 ? await this.keeper.look(lockNames) : [];
      if (freed.length > 0) this.#found = monotonicNow();
      for (const lockName of freed) this.keeper.free(lockName);
    } catch (error) {
      this.keeper.failed(error);
    }
    this.#looking = false;
    const now = monotonicNow();
    this.#timer.set(now + Math.max(pauseAfter(now - this.#found), REST * (now - begun)));
  }
}

/** @param quiet for how many milliseconds no lock came free */
const pauseAfter = (quiet: number) =>
  Math.max(
    SHORTEST,
    Math.min(quiet / USUAL.share, USUAL.longest),
    Math.min(quiet / LATER.share, LATER.longest),
  );

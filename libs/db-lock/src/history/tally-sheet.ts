import { noCounts, type ContendedName, type Counts, type Tally } from '../store/history-store.js';
import { Histogram } from './histogram.js';

/** How many names are counted at a time; further ones are not. */
const MAX_NAMES = 1_000;

/** How many of them are told: the most contended. */
const MOST_CONTENDED = 20;

/** Counts what happens until it is taken away. */
export class TallySheet {
  #counts = noCounts();
  #hold = new Histogram();
  #wait = new Histogram();
  #names = new Map<string, ContendedName>();
  #empty = true;

  count(what: keyof Counts): void {
    this.#counts[what]++;
    this.#empty = false;
  }

  /** @param duration how long a lease lasted, in milliseconds */
  held(duration: number): void {
    this.#hold.add(duration);
  }

  /** @param duration how long a grant was waited for, in milliseconds */
  waited(duration: number): void {
    this.#wait.add(duration);
  }

  contended(lockName: string, how: 'refused' | 'waited'): void {
    let name = this.#names.get(lockName);
    if (!name) {
      if (this.#names.size >= MAX_NAMES) return;
      this.#names.set(lockName, (name = { lockName, refused: 0, waited: 0 }));
    }
    name[how]++;
  }

  get isEmpty(): boolean {
    return this.#empty;
  }

  /** What was counted since the last time; undefined when nothing was. */
  take(): Tally | undefined {
    if (this.#empty) return undefined;
    const tally = {
      counts: this.#counts,
      hold: this.#hold.slots,
      wait: this.#wait.slots,
      contended: [...this.#names.values()]
        .toSorted((one, other) => other.refused + other.waited - one.refused - one.waited)
        .slice(0, MOST_CONTENDED),
    };
    this.#counts = noCounts();
    this.#hold = new Histogram();
    this.#wait = new Histogram();
    this.#names = new Map();
    this.#empty = true;
    return tally;
  }
}

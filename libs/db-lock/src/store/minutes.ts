import { byBytes } from '../lease/names.js';
import { COUNTED, noCounts, type Counts, type Statistics, type Tally } from './history-store.js';

/** How many of the most contended names are told. */
const MOST_CONTENDED = 10;

export const MINUTE = 60_000;

type Contended = Map<string, { refused: number; waited: number }>;

/** What happened in one minute, counted. */
export interface Minute {
  /** When it begins, in milliseconds since 1970. */
  period: number;
  counts: Counts;
  hold: readonly number[];
  wait: readonly number[];
  contended: Contended;
}

/** The minute of a time, in which nothing has happened yet. */
export const minuteAt = (time: number): Minute => ({
  period: Math.floor(time / MINUTE) * MINUTE,
  counts: noCounts(),
  hold: [],
  wait: [],
  contended: new Map(),
});

/** Adds to what was counted in a minute. */
export function addTally(minute: Minute, { counts, hold, wait, contended }: Tally): void {
  for (const counted of COUNTED) minute.counts[counted] += counts[counted];
  minute.hold = sumOf(minute.hold, hold);
  minute.wait = sumOf(minute.wait, wait);
  for (const { lockName, refused, waited } of contended) addTo(minute.contended, lockName, refused, waited);
}

/** The most contended names, those first of which most was refused and waited for. */
export const mostContended = (contended: Contended, most: number) =>
  [...contended]
    .map(([lockName, counts]) => ({ lockName, ...counts }))
    .toSorted(
      (one, other) =>
        other.refused + other.waited - one.refused - one.waited || byBytes(one.lockName, other.lockName),
    )
    .slice(0, most);

/** Puts minutes together, in steps of so many milliseconds. */
export class StatisticsSum {
  readonly #points = new Map<number, Counts & { time: Date }>();
  readonly #contended: Contended = new Map();
  #hold: readonly number[] = [];
  #wait: readonly number[] = [];

  constructor(private readonly step: number) {}

  /** Minutes are added in their order. */
  add({ period, counts, hold, wait, contended }: Minute): void {
    const time = Math.floor(period / this.step) * this.step;
    const point = this.#points.get(time) ?? { ...noCounts(), time: new Date(time) };
    for (const counted of COUNTED) point[counted] += counts[counted];
    this.#points.set(time, point);
    this.#hold = sumOf(this.#hold, hold);
    this.#wait = sumOf(this.#wait, wait);
    for (const [lockName, { refused, waited }] of contended)
      addTo(this.#contended, lockName, refused, waited);
  }

  at(serverTime: Date): Statistics {
    return {
      serverTime,
      points: [...this.#points.values()],
      hold: this.#hold,
      wait: this.#wait,
      contended: mostContended(this.#contended, MOST_CONTENDED),
    };
  }
}

function addTo(contended: Contended, lockName: string, refused: number, waited: number): void {
  const before = contended.get(lockName) ?? { refused: 0, waited: 0 };
  contended.set(lockName, { refused: before.refused + refused, waited: before.waited + waited });
}

const sumOf = (one: readonly number[], other: readonly number[]) =>
  Array.from(
    { length: Math.max(one.length, other.length) },
    (_, slot) => (one[slot] ?? 0) + (other[slot] ?? 0),
  );

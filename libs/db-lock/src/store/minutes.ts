import { byBytes } from '../lease/names.js';
import {
  COUNTED,
  noCounts,
  type ContendedName,
  type Counts,
  type Statistics,
  type Tally,
} from './history-store.js';

/** The most names of contended locks that are told. */
const MOST_CONTENDED = 10;

/** How many names a minute keeps of those that were contended. */
const MAX_CONTENDED = 20;

/** How often a name was refused and waited for. */
type Contention = readonly [refused: number, waited: number];

/** What was counted in one minute. */
export interface Minute {
  /** Its beginning, in milliseconds since 1970. */
  period: number;
  counts: Counts;
  hold: readonly number[];
  wait: readonly number[];
  /** By lock name. */
  contended: ReadonlyMap<string, Contention>;
}

/** What has become of a minute's histograms and names, once a tally is added. */
export function withTally(
  minute: Pick<Minute, 'hold' | 'wait' | 'contended'>,
  { hold, wait, contended }: Omit<Tally, 'counts'>,
): Pick<Minute, 'hold' | 'wait' | 'contended'> {
  const names = contended.map(({ lockName, refused, waited }) => [lockName, [refused, waited]] as const);
  const all = new Map(mostContended(sumOfNames([...minute.contended, ...names]), MAX_CONTENDED));
  return { hold: sumOf(minute.hold, hold), wait: sumOf(minute.wait, wait), contended: all };
}

/**
 * Minutes in their order, put together in steps.
 * @param step in milliseconds
 */
export function statisticsOf(minutes: readonly Minute[], step: number): Omit<Statistics, 'serverTime'> {
  const points = new Map<number, Counts & { time: Date }>();
  for (const { period, counts } of minutes) {
    const time = Math.floor(period / step) * step;
    const point = points.get(time) ?? { ...noCounts(), time: new Date(time) };
    for (const counted of COUNTED) point[counted] += counts[counted];
    points.set(time, point);
  }
  const contended = sumOfNames(minutes.flatMap((minute) => [...minute.contended]));
  return {
    points: [...points.values()],
    hold: minutes.reduce((sum: readonly number[], { hold }) => sumOf(sum, hold), []),
    wait: minutes.reduce((sum: readonly number[], { wait }) => sumOf(sum, wait), []),
    contended: mostContended(contended, MOST_CONTENDED).map(
      ([lockName, [refused, waited]]): ContendedName => ({ lockName, refused, waited }),
    ),
  };
}

/** Two histograms, added up. */
const sumOf = (one: readonly number[], other: readonly number[]): number[] =>
  Array.from(
    { length: Math.max(one.length, other.length) },
    (_, slot) => (one[slot] ?? 0) + (other[slot] ?? 0),
  );

function sumOfNames(names: Iterable<readonly [string, Contention]>): Map<string, Contention> {
  const sums = new Map<string, Contention>();
  for (const [lockName, [refused, waited]] of names) {
    const [refusedBefore, waitedBefore] = sums.get(lockName) ?? [0, 0];
    sums.set(lockName, [refusedBefore + refused, waitedBefore + waited]);
  }
  return sums;
}

const total = ([refused, waited]: Contention) => refused + waited;

/** The first of those that were contended most; of equals, by the order of their names' bytes. */
const mostContended = (names: ReadonlyMap<string, Contention>, most: number) =>
  [...names]
    .toSorted(
      ([oneName, one], [otherName, other]) => total(other) - total(one) || byBytes(oneName, otherName),
    )
    .slice(0, most);

/** A minute as databases without arithmetic on JSON keep it: whole microseconds, and JSON as text. */
export type MinuteRow = Record<(typeof COUNTED)[number] | 'period', string | number> &
  Record<'hold_times' | 'wait_times' | 'contended', string>;

export function toMinute(row: MinuteRow): Minute {
  return {
    period: Number(row.period) / 1000,
    counts: Object.fromEntries(COUNTED.map((counted) => [counted, Number(row[counted])])) as Counts,
    hold: JSON.parse(row.hold_times) as number[],
    wait: JSON.parse(row.wait_times) as number[],
    contended: new Map(Object.entries(JSON.parse(row.contended) as Record<string, Contention>)),
  };
}

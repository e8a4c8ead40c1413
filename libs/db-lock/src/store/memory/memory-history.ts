import {
  COUNTED,
  noCounts,
  type Changes,
  type Counts,
  type HistoryEntry,
  type HistoryQuery,
  type HistoryRecord,
  type HistoryStore,
  type Statistics,
  type Tally,
  type Waiting,
} from '../history-store.js';
import { broughtUpToDate } from '../waiting-counts.js';
import { byBytes, dateOf, microseconds, type MemoryTables } from './memory-tables.js';

/** The most names of contended locks that are told. */
const MOST_CONTENDED = 10;

const MINUTE = 60_000;

/** Something that happened, with its time in milliseconds since 1970. */
export type Happening = Omit<HistoryRecord, 'cursor' | 'eventTime' | 'grantId'> & {
  grantId: string | null;
  time: number;
};

interface Event extends Happening {
  id: number;
}

interface Minute {
  period: number;
  counts: Counts;
  hold: number[];
  wait: number[];
  contended: Map<string, { refused: number; waited: number }>;
}

/** What has happened, in memory. */
export class MemoryHistory implements HistoryStore {
  #events: Event[] = [];
  #minutes: Minute[] = [];
  #lastId = 0;

  constructor(private readonly tables: MemoryTables) {}

  /** Adds what an operator did, or what happened then. */
  add(happening: Happening): void {
    this.#events.push({ ...happening, id: ++this.#lastId });
  }

  async of(lockName: string, { limit, before }: HistoryQuery): Promise<HistoryRecord[]> {
    const [time, id] = before?.split('-').map(Number) ?? [Infinity, Infinity];
    return this.#events
      .filter((event) => event.lockName === lockName)
      .filter(
        (event) => microseconds(event.time) < time! || (microseconds(event.time) === time && event.id < id!),
      )
      .toSorted((one, other) => microseconds(other.time) - microseconds(one.time) || other.id - one.id)
      .slice(0, limit)
      .map(toRecord);
  }

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    const now = this.tables.now();
    for (const { age, time, ...entry } of entries) {
      const known = entry.workerName === null && entry.grantId !== null ? this.#lastOf(entry) : undefined;
      if (entry.event === 'lost' && entry.workerName === null && !this.#isLoss(entry, known)) continue;
      this.add({
        ...entry,
        workerName: entry.workerName ?? known?.workerName ?? null,
        fencingToken: entry.fencingToken ?? known?.fencingToken ?? null,
        actor: null,
        reason: null,
        time: time ?? now - age,
      });
    }
  }

  async count({ counts, hold, wait, contended }: Tally): Promise<void> {
    const minute = this.#minuteNow();
    for (const counted of COUNTED) minute.counts[counted] += counts[counted];
    minute.hold = sumOf(minute.hold, hold);
    minute.wait = sumOf(minute.wait, wait);
    for (const { lockName, refused, waited } of contended) addTo(minute.contended, lockName, refused, waited);
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const since = this.tables.now() - range;
    const minutes = this.#minutes.filter(({ period }) => period > since);
    const points = new Map<number, Counts & { time: Date }>();
    const contended: Minute['contended'] = new Map();
    for (const minute of minutes) {
      const time = Math.floor(minute.period / step) * step;
      const point = points.get(time) ?? { ...noCounts(), time: new Date(time) };
      for (const counted of COUNTED) point[counted] += minute.counts[counted];
      points.set(time, point);
      for (const [lockName, { refused, waited }] of minute.contended)
        addTo(contended, lockName, refused, waited);
    }
    return {
      serverTime: await this.now(),
      points: [...points.values()],
      hold: minutes.reduce((sum: number[], { hold }) => sumOf(sum, hold), []),
      wait: minutes.reduce((sum: number[], { wait }) => sumOf(sum, wait), []),
      contended: [...contended]
        .map(([lockName, counts]) => ({ lockName, ...counts }))
        .toSorted(
          (one, other) =>
            other.refused + other.waited - one.refused - one.waited || byBytes(one.lockName, other.lockName),
        )
        .slice(0, MOST_CONTENDED),
    };
  }

  async changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    const serverTime = await this.now();
    const counts = this.tables.waiterCounts();
    const present = { serverTime, cursor: String(this.#lastId), locks: [], removed: [], truncated: false };
    if (cursor === undefined) return { ...present, waiting: counts };
    const last = new Map<string, number>();
    for (const { id, lockName } of this.#events) if (id > Number(cursor)) last.set(lockName, id);
    for (const lockName of new Set([...counts.keys(), ...waiting.keys()]))
      if (counts.get(lockName) !== waiting.get(lockName) && !last.has(lockName)) last.set(lockName, 0);
    if (last.size > limit) return { ...present, waiting: counts, truncated: true };
    const names = [...last.keys()];
    const locks = names.flatMap((lockName) => {
      const row = this.tables.locks.get(lockName);
      if (!row) return [];
      return { ...this.tables.recordOf(row, counts.get(lockName) ?? 0), lastEvent: last.get(lockName)! };
    });
    const removed = names.filter((lockName) => !this.tables.locks.has(lockName));
    return { ...present, waiting: broughtUpToDate(waiting, locks, removed), locks, removed };
  }

  async now(): Promise<Date> {
    return dateOf(this.tables.now());
  }

  async trim(retention: number, maxRows: number): Promise<number> {
    const before = this.#events.length;
    const since = this.tables.now() - retention;
    const firstId = this.#lastId - maxRows;
    this.#events = this.#events.filter(
      ({ id, time, actor }) => time >= since && (id > firstId || actor !== null),
    );
    this.#minutes = this.#minutes.filter(({ period }) => period >= since);
    return before - this.#events.length;
  }

  /** What is known of the grant. */
  #lastOf({ lockName, grantId }: Pick<HistoryEntry, 'lockName' | 'grantId'>): Event | undefined {
    return this.#events.findLast((event) => event.lockName === lockName && event.grantId === grantId);
  }

  /** Nothing was lost by who had released it, nor where there is no such lock. */
  #isLoss({ lockName }: Pick<HistoryEntry, 'lockName'>, known: Event | undefined): boolean {
    return known ? known.event !== 'released' : this.tables.locks.has(lockName);
  }

  #minuteNow(): Minute {
    const period = Math.floor(this.tables.now() / MINUTE) * MINUTE;
    const known = this.#minutes.find((minute) => minute.period === period);
    if (known) return known;
    const minute: Minute = { period, counts: noCounts(), hold: [], wait: [], contended: new Map() };
    this.#minutes.push(minute);
    return minute;
  }
}

function toRecord({ id, time, grantId, ...event }: Event): HistoryRecord {
  return {
    ...event,
    cursor: `${microseconds(time)}-${id}`,
    grantId: grantId === null ? null : `${grantId.slice(0, 8)}…`,
    eventTime: dateOf(time),
  };
}

function addTo(contended: Minute['contended'], lockName: string, refused: number, waited: number): void {
  const before = contended.get(lockName) ?? { refused: 0, waited: 0 };
  contended.set(lockName, { refused: before.refused + refused, waited: before.waited + waited });
}

const sumOf = (one: readonly number[], other: readonly number[]) =>
  Array.from(
    { length: Math.max(one.length, other.length) },
    (_, slot) => (one[slot] ?? 0) + (other[slot] ?? 0),
  );

import {
  COUNTED,
  noCounts,
  type Changes,
  type HistoryEntry,
  type HistoryQuery,
  type HistoryRecord,
  type HistoryStore,
  type Statistics,
  type Tally,
  type Waiting,
} from '../history-store.js';
import { broughtUpToDate, concerned } from '../changes.js';
import { completed, needsGrant } from '../history-entries.js';
import { statisticsOf, withTally, type Minute } from '../minutes.js';
import { dateOf, microseconds, type MemoryTables } from './memory-tables.js';

const MINUTE = 60_000;

/** Something that happened, with its time in milliseconds since 1970. */
export type Happening = Omit<HistoryRecord, 'cursor' | 'eventTime' | 'grantId'> & {
  grantId: string | null;
  time: number;
};

interface Event extends Happening {
  id: number;
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
      .toSorted(newestFirst)
      .slice(0, limit)
      .map(toRecord);
  }

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    const now = this.tables.now();
    for (const entry of entries) {
      const known = needsGrant(entry) ? this.#lastOf(entry) : undefined;
      const whole = completed(entry, known, this.tables.locks.has(entry.lockName));
      if (!whole) continue;
      const { age, time, ...happening } = whole;
      this.add({ ...happening, actor: null, reason: null, time: time ?? now - age });
    }
  }

  async count({ counts, ...tally }: Tally): Promise<void> {
    const minute = this.#minuteNow();
    for (const counted of COUNTED) minute.counts[counted] += counts[counted];
    Object.assign(minute, withTally(minute, tally));
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const since = this.tables.now() - range;
    const minutes = this.#minutes.filter(({ period }) => period > since);
    return { serverTime: await this.now(), ...statisticsOf(minutes, step) };
  }

  async changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    const serverTime = await this.now();
    const counts = this.tables.waiterCounts();
    const present = { serverTime, cursor: String(this.#lastId), locks: [], removed: [], truncated: false };
    if (cursor === undefined) return { ...present, waiting: counts };
    const happened = this.#events.filter(({ id }) => id > Number(cursor));
    const last = concerned(happened, waiting, counts);
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
    const firstId = (this.#events.at(-1)?.id ?? 0) - maxRows;
    this.#events = this.#events.filter(
      ({ id, time, actor }) => time >= since && (id > firstId || actor !== null),
    );
    this.#minutes = this.#minutes.filter(({ period }) => period >= since);
    return before - this.#events.length;
  }

  /** What is known of the grant: the last that happened, which may have been recorded before others. */
  #lastOf({ lockName, grantId }: Pick<HistoryEntry, 'lockName' | 'grantId'>): Event | undefined {
    const known = this.#events.filter((event) => event.lockName === lockName && event.grantId === grantId);
    return known.toSorted(newestFirst)[0];
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

const newestFirst = (one: Event, other: Event) =>
  microseconds(other.time) - microseconds(one.time) || other.id - one.id;

function toRecord({ id, time, grantId, ...event }: Event): HistoryRecord {
  return {
    ...event,
    cursor: `${microseconds(time)}-${id}`,
    grantId: grantId === null ? null : `${grantId.slice(0, 8)}…`,
    eventTime: dateOf(time),
  };
}

import { changesSince, noChanges } from '../changes.js';
import type {
  Changes,
  HistoryEntry,
  HistoryQuery,
  HistoryRecord,
  HistoryStore,
  Statistics,
  Tally,
  Waiting,
} from '../history-store.js';
import { addTally, minuteAt, StatisticsSum, type Minute } from '../minutes.js';
import { dateOf, microseconds, type MemoryTables } from './memory-tables.js';

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

  async count(tally: Tally): Promise<void> {
    addTally(this.#minuteNow(), tally);
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const since = this.tables.now() - range;
    const sum = new StatisticsSum(step);
    for (const minute of this.#minutes) if (minute.period > since) sum.add(minute);
    return sum.at(await this.now());
  }

  async changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    const counts = this.tables.waiterCounts();
    const present = { serverTime: await this.now(), cursor: String(this.#lastId), waiting: counts };
    if (cursor === undefined) return noChanges(present);
    const happened = new Map<string, number>();
    for (const { id, lockName } of this.#events) if (id > Number(cursor)) happened.set(lockName, id);
    return changesSince(waiting, present, happened, limit, (lockName) => {
      const row = this.tables.locks.get(lockName);
      return row && this.tables.recordOf(row, counts.get(lockName) ?? 0);
    });
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

  /** Nothing was lost by who had released it, nor where there is no such lock. */
  #isLoss({ lockName }: Pick<HistoryEntry, 'lockName'>, known: Event | undefined): boolean {
    return known ? known.event !== 'released' : this.tables.locks.has(lockName);
  }

  #minuteNow(): Minute {
    const present = minuteAt(this.tables.now());
    const known = this.#minutes.find(({ period }) => period === present.period);
    if (!known) this.#minutes.push(present);
    return known ?? present;
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

import { setImmediate as turn } from 'node:timers/promises';
import { broughtUpToDate, concerned, type Happened } from '../changes.js';
import { completed, needsGrant, type KnownGrant } from '../history-entries.js';
import type {
  ChangedLock,
  Changes,
  HistoryEntry,
  HistoryQuery,
  HistoryRecord,
  HistoryStore,
  Statistics,
  Tally,
  Waiting,
} from '../history-store.js';
import { statisticsOf, toMinute, withTally, type Minute, type MinuteRow } from '../minutes.js';
import { toHistory, toLock, toTime, type HistoryRow, type LookRow } from '../rows.js';
import type { Connection } from './connection.js';
import type { DeskStatements } from './desk.sql.js';
import type { HistoryStatements } from './history.sql.js';
import type { Reader } from './reader.js';

/** Rows that one step trims, or reads: some milliseconds of work. */
const CHUNK = 5_000;

/** Minutes that one step reads. */
const MINUTES = 1_000;

/** How many happenings a look for changes reads for each lock that it may tell of. */
const READ_AHEAD = 10;

const MINUTE = 60_000_000;

type KnownRow = Pick<HistoryRow, 'worker_name' | 'event'> & { token: number | null };

type Present = Pick<Changes, 'serverTime' | 'cursor' | 'waiting'>;

/** The history in tables beside the locks'. */
export class SqliteHistory implements HistoryStore {
  readonly #connection: Connection;

  constructor(
    private readonly sql: HistoryStatements & Pick<DeskStatements, 'look'>,
    private readonly reader: Reader,
  ) {
    this.#connection = reader.connection;
  }

  async of(lockName: string, { limit, before }: HistoryQuery): Promise<HistoryRecord[]> {
    const [time, id] = before?.split('-').map(Number) ?? [null, null];
    const parameters = { lockName, limit, time: time!, id: id! };
    const rows = await this.reader.read(() => this.#connection.all<HistoryRow>(this.sql.of, parameters));
    return rows.map(toHistory);
  }

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    await this.reader.write('lazy', (now) => {
      for (const entry of entries) this.#record(entry, now);
    });
  }

  async count({ counts, ...tally }: Tally): Promise<void> {
    await this.reader.write('lazy', (now) => {
      const period = now - (now % MINUTE);
      const row = this.#connection.get<MinuteRow>(this.sql.minute, { period });
      const { hold, wait, contended } = withTally(row ? toMinute(row) : NOTHING_YET, tally);
      this.#connection.run(this.sql.count, {
        period,
        ...counts,
        hold: JSON.stringify(hold),
        wait: JSON.stringify(wait),
        contended: JSON.stringify(Object.fromEntries(contended)),
      });
    });
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const serverTime = await this.reader.now();
    const minutes: Minute[] = [];
    let since = (serverTime.getTime() - range) * 1000;
    for (let read = MINUTES; read === MINUTES; await turn()) {
      const parameters = { since, limit: MINUTES };
      const rows = await this.reader.read(() =>
        this.#connection.all<MinuteRow & { period: number }>(this.sql.minutes, parameters),
      );
      minutes.push(...rows.map(toMinute));
      since = rows.at(-1)?.period ?? since;
      read = rows.length;
    }
    return { serverTime, ...statisticsOf(minutes, step) };
  }

  changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    return this.reader.read((now) => {
      const present = this.#present(now);
      const unchanged = { ...present, locks: [], removed: [], truncated: false };
      if (cursor === undefined) return unchanged;
      const happened = this.#happened(Number(cursor), limit);
      const read = Math.max(Number(cursor), ...happened.map(({ id }) => id));
      const last = concerned(happened, waiting, present.waiting);
      if (read < Number(present.cursor) || last.size > limit) return { ...unchanged, truncated: true };
      const locks: ChangedLock[] = [];
      const removed: string[] = [];
      for (const [lockName, lastEvent] of last) {
        const row = this.#connection.get<LookRow>(this.sql.look, { lockName, now });
        if (row) locks.push({ ...toLock(row), lastEvent });
        else removed.push(lockName);
      }
      return { ...unchanged, waiting: broughtUpToDate(waiting, locks, removed), locks, removed };
    });
  }

  now(): Promise<Date> {
    return this.reader.now();
  }

  async trim(retention: number, maxRows: number): Promise<number> {
    let total = 0;
    for (let trimmed = CHUNK; trimmed >= CHUNK; await turn()) {
      trimmed = await this.reader.write('lazy', (now) => this.#trim(now - retention * 1000, maxRows));
      total += trimmed;
    }
    return total;
  }

  #record(entry: HistoryEntry, now: number): void {
    const whole = completed(entry, this.#known(entry), this.#exists(entry));
    if (!whole) return;
    const { lockName, event, workerName, grantId, fencingToken, details, age, time } = whole;
    this.#connection.run(this.sql.record, {
      lockName,
      event,
      workerName,
      grantId,
      token: fencingToken,
      details: details && JSON.stringify(details),
      time: Math.round(time === null ? now - age * 1000 : time * 1000),
    });
  }

  #known(entry: HistoryEntry): KnownGrant | undefined {
    if (!needsGrant(entry)) return undefined;
    const { lockName, grantId } = entry;
    const row = this.#connection.get<KnownRow>(this.sql.known, { lockName, grantId });
    return row && { workerName: row.worker_name, fencingToken: row.token, event: row.event };
  }

  /** Whether there is such a lock, where that matters. */
  #exists({ lockName, event }: HistoryEntry): boolean {
    return event === 'lost' && this.#connection.get(this.sql.exists, { lockName }) !== undefined;
  }

  /** The last that happened to each lock. */
  #happened(id: number, limit: number): Happened[] {
    const parameters = { id, limit: (limit + 1) * READ_AHEAD };
    const rows = this.#connection.all<{ lock_name: string; last: number }>(this.sql.recent, parameters);
    return rows.map(({ lock_name, last }) => ({ id: last, lockName: lock_name }));
  }

  #present(now: number): Present {
    const { id } = this.#connection.get<{ id: number }>(this.sql.latest)!;
    const waited = this.#connection.all<{ lock_name: string; waiting: number }>(this.sql.waited, { now });
    return {
      serverTime: toTime(now),
      cursor: String(id),
      waiting: new Map(waited.map(({ lock_name, waiting }) => [lock_name, waiting])),
    };
  }

  #trim(since: number, maxRows: number): number {
    const { id } = this.#connection.get<{ id: number }>(this.sql.latest)!;
    this.#connection.run(this.sql.trimMinutes, { since });
    return (
      this.#connection.run(this.sql.trimByAge, { since, limit: CHUNK }) +
      this.#connection.run(this.sql.trimByNumber, { lastId: id - maxRows, limit: CHUNK })
    );
  }
}

const NOTHING_YET: Parameters<typeof withTally>[0] = { hold: [], wait: [], contended: new Map() };

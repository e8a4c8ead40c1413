import {
  COUNTED,
  type Changes,
  type Counts,
  type HistoryEntry,
  type HistoryQuery,
  type HistoryRecord,
  type HistoryStore,
  type Statistics,
  type Tally,
} from './history-store.js';
import { TRIM_CHUNK, type HistoryStatements } from './postgres.history.js';
import { toHistory, toLock, toTime, type HistoryRow, type LookRow } from './rows.js';
import type { SqlReader } from './sql-reader.js';

/** How many of the most contended names are told. */
const MOST_CONTENDED = 10;

/** A name, and its lock where there is one. */
type ChangeRow = Omit<LookRow, 'state'> & {
  name: string;
  state: LookRow['state'] | null;
  last: string;
  /** How far the history was read, and how far it reaches. */
  read_to: string | null;
  newest: string | null;
};

/** The history in tables beside the locks'. */
export class SqlHistory implements HistoryStore {
  constructor(
    private readonly sql: HistoryStatements,
    private readonly reader: SqlReader,
  ) {}

  async of(lockName: string, { limit, before }: HistoryQuery): Promise<HistoryRecord[]> {
    const [time, id] = before?.split('-') ?? [null, null];
    return (await this.reader.ask<HistoryRow>(this.sql.of, [lockName, limit, time, id])).map(toHistory);
  }

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    await this.reader.ask(this.sql.record, [
      entries.map(({ lockName }) => lockName),
      entries.map(({ event }) => event),
      entries.map(({ workerName }) => workerName),
      entries.map(({ grantId }) => grantId),
      entries.map(({ fencingToken }) => fencingToken),
      entries.map(({ details }) => details && JSON.stringify(details)),
      entries.map(({ age }) => age),
      entries.map(({ time }) => time),
    ]);
  }

  async count({ counts, hold, wait, contended }: Tally): Promise<void> {
    const names = Object.fromEntries(
      contended.map(({ lockName, refused, waited }) => [lockName, [refused, waited]]),
    );
    await this.reader.ask(this.sql.count, [
      ...COUNTED.map((counted) => counts[counted]),
      hold,
      wait,
      JSON.stringify(names),
    ]);
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const [points, histograms, contended, serverTime] = await Promise.all([
      this.reader.ask<Record<keyof Counts | 'time', string>>(this.sql.points, [range, step]),
      this.reader.ask<Record<'hold' | 'wait', string>>(this.sql.histograms, [range]),
      this.reader.ask<Record<'lock_name' | 'refused' | 'waited', string>>(this.sql.contended, [
        range,
        MOST_CONTENDED,
      ]),
      this.reader.now(),
    ]);
    return {
      serverTime,
      points: points.map((row) => ({ ...countsOf(row), time: new Date(Number(row.time)) })),
      hold: histograms.map(({ hold }) => Number(hold)),
      wait: histograms.map(({ wait }) => Number(wait)),
      contended: contended.map(({ lock_name, refused, waited }) => ({
        lockName: lock_name,
        refused: Number(refused),
        waited: Number(waited),
      })),
    };
  }

  async changes(cursor: string | undefined, watched: readonly string[], limit: number): Promise<Changes> {
    if (cursor === undefined) {
      const [latest] = await this.reader.ask<Record<'cursor' | 'server_time', string>>(this.sql.latest, []);
      const { cursor, server_time } = latest!;
      return { serverTime: toTime(server_time), cursor, locks: [], removed: [], truncated: false };
    }
    const [rows, serverTime] = await Promise.all([
      this.reader.ask<ChangeRow>(this.sql.changes, [cursor, watched, limit + 1]),
      this.reader.now(),
    ]);
    const known = rows.filter((row): row is LookRow & ChangeRow => row.state !== null);
    const [{ read_to, newest } = { read_to: null, newest: null }] = rows;
    return {
      serverTime,
      cursor: read_to === null ? cursor : newest!,
      locks: known.map((row) => ({ ...toLock(row), lastEvent: Number(row.last) })),
      removed: rows.filter(({ state }) => state === null).map(({ name }) => name),
      truncated: rows.length > limit || (read_to !== null && read_to !== newest),
    };
  }

  now(): Promise<Date> {
    return this.reader.now();
  }

  async trim(retention: number, maxRows: number): Promise<number> {
    let total = 0;
    for (;;) {
      const [row] = await this.reader.ask<{ trimmed: string }>(this.sql.trim, [retention, maxRows]);
      total += Number(row!.trimmed);
      if (Number(row!.trimmed) < TRIM_CHUNK) return total;
    }
  }
}

const countsOf = (row: Record<keyof Counts, string>) =>
  Object.fromEntries(COUNTED.map((counted) => [counted, Number(row[counted])])) as Counts;

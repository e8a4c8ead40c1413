import { numberArray, textArray } from './array-literal.js';
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
  type Waiting,
} from '../history-store.js';
import { TRIM_CHUNK, type HistoryStatements } from './history.sql.js';
import { toHistory, toLock, toTime, type HistoryRow, type LookRow } from '../rows.js';
import type { Reader } from './reader.js';
import { broughtUpToDate } from '../changes.js';

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
export class PostgresHistory implements HistoryStore {
  constructor(
    private readonly sql: HistoryStatements,
    private readonly reader: Reader,
  ) {}

  async of(lockName: string, { limit, before }: HistoryQuery): Promise<HistoryRecord[]> {
    const [time, id] = before?.split('-') ?? [null, null];
    return (await this.reader.ask<HistoryRow>(this.sql.of, [lockName, limit, time, id])).map(toHistory);
  }

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    await this.reader.ask(this.sql.record, [
      textArray(entries, ({ lockName }) => lockName),
      textArray(entries, ({ event }) => event),
      textArray(entries, ({ workerName }) => workerName),
      textArray(entries, ({ grantId }) => grantId),
      numberArray(entries, ({ fencingToken }) => fencingToken),
      textArray(entries, ({ details }) => details && JSON.stringify(details)),
      numberArray(entries, ({ age }) => age),
      numberArray(entries, ({ time }) => time),
    ]);
  }

  async count({ counts, hold, wait, contended }: Tally): Promise<void> {
    const names = Object.fromEntries(
      contended.map(({ lockName, refused, waited }) => [lockName, [refused, waited]]),
    );
    await this.reader.ask(this.sql.count, [
      ...COUNTED.map((counted) => counts[counted]),
      JSON.stringify(hold),
      JSON.stringify(wait),
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

  async changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    if (cursor === undefined) return this.#present();
    const [rows, serverTime] = await Promise.all([
      this.reader.ask<ChangeRow>(this.sql.changes, [
        cursor,
        [...waiting.keys()],
        [...waiting.values()],
        limit + 1,
      ]),
      this.reader.now(),
    ]);
    const [{ read_to, newest } = { read_to: null, newest: null }] = rows;
    const truncated = rows.length > limit || (read_to !== null && read_to !== newest);
    if (truncated) return { ...(await this.#present()), truncated };
    const known = rows.filter((row): row is LookRow & ChangeRow => row.state !== null);
    const removed = rows.filter(({ state }) => state === null).map(({ name }) => name);
    const locks = known.map((row) => ({ ...toLock(row), lastEvent: Number(row.last) }));
    return {
      serverTime,
      cursor: read_to === null ? cursor : newest!,
      waiting: broughtUpToDate(waiting, locks, removed),
      locks,
      removed,
      truncated,
    };
  }

  /** Where changes are told from, when none are. */
  async #present(): Promise<Changes> {
    const [[latest], waited] = await Promise.all([
      this.reader.ask<Record<'cursor' | 'server_time', string>>(this.sql.latest, []),
      this.reader.ask<{ lock_name: string; waiting: number }>(this.sql.waited, []),
    ]);
    return {
      serverTime: toTime(latest!.server_time),
      cursor: latest!.cursor,
      waiting: new Map(waited.map(({ lock_name, waiting }) => [lock_name, waiting])),
      locks: [],
      removed: [],
      truncated: false,
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

import { setImmediate as turn } from 'node:timers/promises';
import { changesSince, noChanges, type Present } from '../changes.js';
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
import { addTally, minuteAt, mostContended, StatisticsSum, type Minute } from '../minutes.js';
import { toHistory, toLock, toTime, type HistoryRow, type LookRow } from '../rows.js';
import type { Connection } from './connection.js';
import type { HistoryStatements } from './history.sql.js';
import type { Reader } from './reader.js';

/** Rows that one step trims, or reads: some milliseconds of work. */
const CHUNK = 5_000;

/** Minutes that one step reads. */
const MINUTES = 1_000;

/** How many names a minute's row keeps of those that were contended. */
const MAX_CONTENDED = 20;

/** How many happenings a look for changes reads for each lock that it may tell of. */
const READ_AHEAD = 10;

interface MinuteRow extends Counts {
  period: number;
  hold_times: string;
  wait_times: string;
  contended: string;
}

type KnownRow = Pick<HistoryRow, 'worker_name' | 'event'> & { token: number | null };

/** The history in tables beside the locks'. */
export class SqliteHistory implements HistoryStore {
  readonly #connection: Connection;

  constructor(
    private readonly sql: HistoryStatements,
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

  async count(tally: Tally): Promise<void> {
    await this.reader.write('lazy', (now) => {
      const minute = minuteAt(now / 1000);
      const period = minute.period * 1000;
      const row = this.#connection.get<MinuteRow>(this.sql.minute, { period });
      // The statement adds the counts by itself.
      addTally(row ? Object.assign(minute, contentsOf(row)) : minute, tally);
      const names = mostContended(minute.contended, MAX_CONTENDED);
      this.#connection.run(this.sql.count, {
        period,
        ...tally.counts,
        hold: JSON.stringify(minute.hold),
        wait: JSON.stringify(minute.wait),
        contended: JSON.stringify(
          Object.fromEntries(names.map(({ lockName, refused, waited }) => [lockName, [refused, waited]])),
        ),
      });
    });
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const sum = new StatisticsSum(step);
    let since = (await this.reader.now()).getTime() - range;
    for (let rows = MINUTES; rows === MINUTES; await turn()) {
      const parameters = { since: since * 1000, limit: MINUTES };
      const minutes = await this.reader.read(() =>
        this.#connection.all<MinuteRow>(this.sql.minutes, parameters).map(toMinute),
      );
      for (const minute of minutes) sum.add(minute);
      since = minutes.at(-1)?.period ?? since;
      rows = minutes.length;
    }
    return sum.at(await this.reader.now());
  }

  changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    return this.reader.read((now) => {
      const present = this.#present(now);
      if (cursor === undefined) return noChanges(present);
      const happened = this.#happened(Number(cursor), limit);
      const read = Math.max(Number(cursor), ...happened.values());
      if (read < Number(present.cursor)) return noChanges(present, true);
      return changesSince(waiting, present, happened, limit, (lockName) => {
        const row = this.#connection.get<LookRow>(this.sql.look, { lockName, now });
        return row && toLock(row);
      });
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
    const { lockName, event, workerName, grantId, fencingToken, details, age, time } = entry;
    const isUnknown = workerName === null && grantId !== null;
    const known = isUnknown
      ? this.#connection.get<KnownRow>(this.sql.known, { lockName, grantId })
      : undefined;
    if (event === 'lost' && workerName === null && !this.#isLoss(lockName, known)) return;
    this.#connection.run(this.sql.record, {
      lockName,
      event,
      workerName: workerName ?? known?.worker_name ?? null,
      grantId,
      token: fencingToken ?? known?.token ?? null,
      details: details && JSON.stringify(details),
      time: Math.round(time === null ? now - age * 1000 : time * 1000),
    });
  }

  /** Nothing was lost by who had released it, nor where there is no such lock. */
  #isLoss(lockName: string, known: KnownRow | undefined): boolean {
    if (known) return known.event !== 'released';
    return this.#connection.get(this.sql.exists, { lockName }) !== undefined;
  }

  /** To which locks something has happened, and the last that did. */
  #happened(id: number, limit: number): Map<string, number> {
    const parameters = { id, limit: (limit + 1) * READ_AHEAD };
    const rows = this.#connection.all<{ lock_name: string; last: number }>(this.sql.recent, parameters);
    return new Map(rows.map(({ lock_name, last }) => [lock_name, last]));
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

const toMinute = (row: MinuteRow): Minute => ({
  period: row.period / 1000,
  counts: Object.fromEntries(COUNTED.map((counted) => [counted, row[counted]])) as Counts,
  ...contentsOf(row),
});

/** What of a minute is JSON. */
function contentsOf({
  hold_times,
  wait_times,
  contended,
}: Pick<MinuteRow, 'hold_times' | 'wait_times' | 'contended'>): Pick<Minute, 'hold' | 'wait' | 'contended'> {
  const names = Object.entries(JSON.parse(contended) as Record<string, [number, number]>);
  return {
    hold: JSON.parse(hold_times) as number[],
    wait: JSON.parse(wait_times) as number[],
    contended: new Map(names.map(([lockName, [refused, waited]]) => [lockName, { refused, waited }])),
  };
}

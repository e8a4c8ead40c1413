import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../lease/clock.js';
import { broughtUpToDate, concerned } from '../changes.js';
import { completed, needsGrant, type KnownGrant } from '../history-entries.js';
import type {
  Changes,
  HistoryEntry,
  HistoryEvent,
  HistoryQuery,
  HistoryRecord,
  HistoryStore,
  Statistics,
  Tally,
  Waiting,
} from '../history-store.js';
import { statisticsOf, toMinute, withTally, type MinuteRow } from '../minutes.js';
import { toHistory, toLock, toTime, type HistoryRow, type LookRow } from '../rows.js';
import { unavailable } from '../batch.js';
import type { DeskStatements } from './desk.sql.js';
import { TRIM_CHUNK, type HistoryStatements } from './history.sql.js';
import { partsOf } from './parts.js';
import type { Reader } from './reader.js';

/** How much of what happened one look for changes goes through, for each lock that it may tell of. */
const EVENTS_A_LOCK = 10;

/** How often one tries to add to a minute that other servers add to, and the longest pause before the next try, in milliseconds. */
const COUNT = { tries: 100, pause: 10 };

interface KnownRow {
  place: string | number;
  worker_name: string | null;
  token: string | null;
  event: HistoryEvent;
}

interface WaitedRow {
  lock_name: string;
  waiting: string | number;
}

interface PresentRow {
  newest: string;
  server_time: string;
}

/** The history in tables beside the locks'. What MySQL and MariaDB would each compute in another way is computed here. */
export class MysqlHistory implements HistoryStore {
  constructor(
    private readonly sql: HistoryStatements,
    private readonly deskSql: DeskStatements,
    private readonly reader: Reader,
    /** The most bytes that the server takes in one packet. */
    private readonly maxPacket: number,
  ) {}

  async of(lockName: string, { limit, before }: HistoryQuery): Promise<HistoryRecord[]> {
    const [time, id] = before?.split('-').map(Number) ?? [];
    const from = time === undefined ? undefined : { time, id: id! };
    const [rows] = await this.reader.ask<[HistoryRow[]]>(() => this.sql.of(lockName, limit, from));
    return rows.map(toHistory);
  }

  async record(entries: readonly HistoryEntry[]): Promise<void> {
    const asked = monotonicNow();
    for (const part of partsOf(await this.#completed(entries), this.maxPacket)) {
      const late = monotonicNow() - asked;
      const aged = part.map((entry) => ({ ...entry, age: entry.age + late }));
      await this.reader.ask(() => this.sql.record(aged));
    }
  }

  /** Who ends a lease on another server than it began is looked up in what is known of the grant. */
  async #completed(entries: readonly HistoryEntry[]): Promise<HistoryEntry[]> {
    const unknown = entries.filter(needsGrant);
    const known = new Map<HistoryEntry, KnownGrant>();
    const there = new Set<string>();
    for (const part of partsOf(unknown, this.maxPacket)) {
      const [grants, locks] = await this.reader.ask<[KnownRow[], Array<{ lock_name: string }>]>(() =>
        this.sql.known(part),
      );
      for (const { place, worker_name, token, event } of grants)
        known.set(part[Number(place)]!, {
          workerName: worker_name,
          fencingToken: token === null ? null : Number(token),
          event,
        });
      for (const { lock_name } of locks) there.add(lock_name);
    }
    return entries.flatMap((entry) => completed(entry, known.get(entry), there.has(entry.lockName)) ?? []);
  }

  /** Reads the minute's row, adds to it, and writes it where nobody has written it since. */
  async count({ counts, ...tally }: Tally): Promise<void> {
    if (isEmpty({ counts, ...tally })) return; // a row that stays as it was would look like one that others have written
    for (let tries = 1; ; tries++) {
      const [[row]] = await this.reader.ask<[[MinuteRow]]>(() => this.sql.minute);
      const { hold, wait, contended } = withTally(toMinute(row), tally);
      const sum = { hold, wait, contended: Object.fromEntries(contended) };
      const [[written]] = await this.reader.ask<[[{ count: string | number }]]>(() =>
        this.sql.count({ period: String(row.period), seen: row }, counts, sum),
      );
      if (Number(written.count) === 1) return;
      if (tries === COUNT.tries) throw unavailable('others were faster, time and again');
      await sleep(Math.random() * COUNT.pause);
    }
  }

  async statistics(range: number, step: number): Promise<Statistics> {
    const [rows, [clock]] = await this.reader.ask<[MinuteRow[], [Pick<PresentRow, 'server_time'>]]>(() =>
      this.sql.minutes(range),
    );
    return { serverTime: toTime(clock.server_time), ...statisticsOf(rows.map(toMinute), step) };
  }

  async changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    if (cursor === undefined) return this.#present();
    const [events, [present], waited] = await this.reader.ask<
      [Array<{ id: string; lock_name: string }>, [PresentRow], WaitedRow[]]
    >(() => this.sql.changes(cursor, (limit + 1) * EVENTS_A_LOCK));
    const happened = events.map(({ id, lock_name }) => ({ id: Number(id), lockName: lock_name }));
    const readTo = happened.at(-1)?.id;
    const last = concerned(happened, waiting, waitingOf(waited));
    if (last.size > limit || (readTo !== undefined && readTo < Number(present.newest)))
      return { ...(await this.#present()), truncated: true };
    const rows = await this.#look([...last.keys()]);
    const there = new Set(rows.map(({ lock_name }) => lock_name));
    const locks = rows.map((row) => ({ ...toLock(row), lastEvent: last.get(row.lock_name)! }));
    const removed = [...last.keys()].filter((lockName) => !there.has(lockName));
    return {
      serverTime: toTime(present.server_time),
      cursor: readTo === undefined ? cursor : String(readTo),
      waiting: broughtUpToDate(waiting, locks, removed),
      locks,
      removed,
      truncated: false,
    };
  }

  async #look(lockNames: readonly string[]): Promise<LookRow[]> {
    if (lockNames.length === 0) return [];
    const [rows] = await this.reader.ask<[LookRow[]]>(() => this.deskSql.look(lockNames));
    return [...rows];
  }

  /** Where changes are told from, when none are. */
  async #present(): Promise<Changes> {
    const [[present], waited] = await this.reader.ask<[[PresentRow], WaitedRow[]]>(() => this.sql.present);
    return {
      serverTime: toTime(present.server_time),
      cursor: present.newest,
      waiting: waitingOf(waited),
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
      const [[row]] = await this.reader.ask<[[{ count: string }]]>(() => this.sql.trim(retention, maxRows));
      total += Number(row.count);
      if (Number(row.count) < TRIM_CHUNK) return total;
    }
  }
}

const isEmpty = ({ counts, hold, wait, contended }: Tally) =>
  [...Object.values(counts), ...hold, ...wait].every((count) => count === 0) && contended.length === 0;

const waitingOf = (rows: readonly WaitedRow[]): Waiting =>
  new Map(rows.map(({ lock_name, waiting }) => [lock_name, Number(waiting)]));

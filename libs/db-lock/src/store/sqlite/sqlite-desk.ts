import { isDeepStrictEqual } from 'node:util';
import { answerEach, errorAnswer, type BatchOptions } from '../batch.js';
import type { HistoryEvent } from '../history-store.js';
import type {
  EditAnswer,
  EditRequest,
  ForceReleaseAnswer,
  ForceReleaseRequest,
  HoldAnswer,
  HoldRequest,
  ListQuery,
  LockDesk,
  LockFilter,
  LockGroup,
  LockPage,
  SortField,
  StateCounts,
} from '../lock-desk.js';
import { MIN_IDLE, type LockRecord, type LockState } from '../lock-store.js';
import { toLock, toTime, type LookRow } from '../rows.js';
import type { Connection } from './connection.js';
import type { DeskStatements } from './desk.sql.js';
import { expiredLease, leaseOf, type Leases, type Row } from './leases.js';
import type { Reader } from './reader.js';
import { patternOf } from './search-pattern.js';
import { byBytes } from '../../lease/names.js';

/** Operators' acts and views. */
export class SqliteDesk implements LockDesk {
  readonly #connection: Connection;

  constructor(
    private readonly sql: DeskStatements,
    private readonly leases: Leases,
    private readonly reader: Reader,
    private readonly batches: BatchOptions,
  ) {
    this.#connection = reader.connection;
  }

  forceRelease(requests: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]> {
    return answerEach(requests, this.batches, (batch) =>
      this.#connection.write('durable', (now) => batch.map((request) => this.#forceRelease(request, now))),
    );
  }

  async hold(request: HoldRequest): Promise<HoldAnswer> {
    try {
      return await this.#connection.write('durable', (now) => this.#hold(request, now));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  async edit(request: EditRequest): Promise<EditAnswer> {
    try {
      return await this.#connection.write('durable', (now) => this.#edit(request, now));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  deleteReleased(lockNames: readonly string[], actor: string): Promise<string[]> {
    const names = [...new Set(lockNames)].toSorted(byBytes);
    return this.reader.write('durable', (now) =>
      names.filter((lockName) => {
        const parameters = { lockName, idleSince: now - MIN_IDLE * 1000, now };
        const row = this.#connection.get<Row>(this.sql.deleteReleased, parameters);
        if (row) this.#record('deleted', row, { actor, reason: null });
        return row !== undefined;
      }),
    );
  }

  clearExpired(actor?: string): Promise<number> {
    return this.reader.writeInSlices('durable', (slice, now) => {
      const expired = this.#connection.all<Row>(this.sql.expired, { ...slice, now });
      for (const row of expired) {
        this.#connection.run(this.sql.clear, { lockName: row.lock_name });
        if (actor !== undefined) this.#record('cleared', row, { actor, reason: null });
      }
      return expired.length;
    });
  }

  async page({
    sort,
    order,
    page,
    pageSize,
    ...filter
  }: ListQuery): Promise<Pick<LockPage, 'items' | 'serverTime'>> {
    const limit = page * pageSize;
    const inOrder = (one: LookRow, other: LookRow) => compare(one, other, sort, order);
    let rows: LookRow[] = [];
    await this.#readMatching(filter, (parameters) => {
      const found = this.#connection.all<LookRow>(this.sql.list({ sort, order }), { ...parameters, limit });
      rows = rows.concat(found).toSorted(inOrder).slice(0, limit);
      // Slices come by name.
      return !(sort === 'lockName' && order === 'asc' && rows.length === limit);
    });
    const items = rows.slice(limit - pageSize).map(toLock);
    return { items, serverTime: items[0]?.serverTime ?? (await this.reader.now()) };
  }

  async count(filter: LockFilter): Promise<number> {
    let total = 0;
    await this.#readMatching(filter, (parameters) => {
      total += this.#connection.get<{ total: number }>(this.sql.count, parameters)!.total;
    });
    return total;
  }

  async *listAll(filter: LockFilter, chunk: number): AsyncGenerator<LockRecord[]> {
    const list = this.sql.list({ sort: 'lockName', order: 'asc' });
    let rows: LookRow[] = [];
    for await (const slice of this.reader.slices()) {
      rows.push(
        ...(await this.reader.read((now) =>
          this.#connection.all<LookRow>(list, { ...slice, ...parametersOf(filter), limit: -1, now }),
        )),
      );
      while (rows.length >= chunk) yield rows.splice(0, chunk).map(toLock);
    }
    if (rows.length > 0) yield rows.map(toLock);
  }

  async groups(filter: LockFilter, limit: number): Promise<LockGroup[]> {
    const groups = new Map<string, LockGroup>();
    await this.#readMatching(filter, (parameters) => {
      for (const { prefix, ...counts } of this.#connection.all<LockGroup>(this.sql.groups, parameters))
        groups.set(prefix, sumOf(groups.get(prefix), { prefix, ...counts }));
      return groups.size <= limit;
    });
    return [...groups.values()].slice(0, limit);
  }

  async countByState(): Promise<StateCounts> {
    const counts: StateCounts = { held: 0, expired: 0, released: 0, contended: 0, waiting: 0 };
    await this.reader.readInSlices((slice, now) => {
      for (const { state, total, contended, waiting } of this.#connection.all<
        { state: LockState } & Record<'total' | 'contended' | 'waiting', number>
      >(this.sql.counts, { ...slice, now })) {
        counts[state] += total;
        counts.contended += contended;
        counts.waiting += waiting;
      }
    });
    return counts;
  }

  #forceRelease(
    { lockName, actor, reason, fencingToken }: ForceReleaseRequest,
    now: number,
  ): ForceReleaseAnswer {
    const row = this.leases.row(lockName, now);
    if (!row || !this.leases.isTaken(row, now)) return { outcome: 'free' };
    if (fencingToken !== undefined && fencingToken !== row.token) return { outcome: 'changed' };
    this.#connection.run(this.sql.forceRelease, { lockName, now });
    this.#record('forced', row, { actor, reason });
    const next = this.leases.nextInLine(lockName, row.grant_id, now);
    return { outcome: 'forced', holder: leaseOf(row), next };
  }

  #hold({ actor, reason, ...request }: HoldRequest, now: number): HoldAnswer {
    const before = this.leases.row(request.lockName, now);
    if (before && this.leases.isTaken(before, now)) return { outcome: 'busy' };
    const expired = expiredLease(before);
    if (before && expired) this.#record('expired', { ...before, grant_id: null }, NOBODY);
    const lease = this.leases.take(request, now);
    this.#record('created', this.leases.row(request.lockName, now)!, { actor, reason });
    return { outcome: 'held', lease, expired };
  }

  #edit({ lockName, fencingToken, ttl, metadata, actor, reason }: EditRequest, now: number): EditAnswer {
    const before = this.leases.row(lockName, now);
    const isMeant = before?.grant_id && before.expire_time > now && before.token === fencingToken;
    if (!isMeant) return { outcome: 'changed' };
    const after = this.#connection.get<Row>(this.sql.edit, {
      lockName,
      expireTime: ttl === undefined ? before.expire_time : now + ttl * 1000,
      metadata: metadata === undefined ? before.metadata : metadata && JSON.stringify(metadata),
      now,
    })!;
    this.#record('edited', before, { actor, reason }, differences(before, after, ttl !== undefined));
    const next = this.leases.nextInLine(lockName, after.grant_id, now);
    return { outcome: 'edited', lease: leaseOf(after), next };
  }

  #readMatching(filter: LockFilter, work: (parameters: SliceParameters) => boolean | void): Promise<void> {
    const parameters = parametersOf(filter);
    return this.reader.readInSlices((slice, now) => work({ ...slice, ...parameters, now }));
  }

  #record(
    event: HistoryEvent,
    { lock_name, worker_name, grant_id, token, server_time }: Row,
    { actor, reason }: { actor: string | null; reason: string | null },
    details: Record<string, unknown> | null = null,
  ): void {
    this.#connection.run(this.sql.record, {
      lockName: lock_name,
      event,
      workerName: worker_name,
      grantId: grant_id,
      token,
      actor,
      reason,
      details: details && JSON.stringify(details),
      now: Number(server_time),
    });
  }
}

const NOBODY = { actor: null, reason: null };

type FilterParameters = Record<'search' | 'state' | 'prefix', string | null>;

type SliceParameters = FilterParameters & { after: string; last: string; now: number };

const parametersOf = ({ search, state, prefix }: LockFilter): FilterParameters => ({
  search: search ? patternOf(search) : null,
  state: state ?? null,
  prefix: prefix ?? null,
});

function sumOf(one: LockGroup | undefined, other: LockGroup): LockGroup {
  if (!one) return other;
  const sum = { ...one };
  for (const key of ['total', 'held', 'expired', 'released', 'waiting'] as const) sum[key] += other[key];
  return sum;
}

/** What an operator has changed, as the history shows it. */
function differences(before: Row, after: Row, changesTtl: boolean): Record<string, unknown> {
  const iso = ({ expire_time }: Row) => toTime(expire_time).toISOString();
  const metadata = { from: parsed(before), to: parsed(after) };
  return {
    ...(changesTtl && { expireTime: { from: iso(before), to: iso(after) } }),
    ...(!isDeepStrictEqual(metadata.from, metadata.to) && { metadata }),
  };
}

const parsed = ({ metadata }: Row): unknown => metadata && JSON.parse(metadata);

const SORT_VALUES: Record<SortField, (row: LookRow) => string | number | null> = {
  lockName: ({ lock_name }) => lock_name,
  workerName: ({ state, worker_name }) => (state === 'released' ? null : worker_name),
  lockTime: ({ lock_time }) => lock_time,
  expireTime: ({ expire_time }) => expire_time,
  fencingToken: ({ token }) => token,
  waiting: ({ waiting }) => waiting,
};

/** As the statement sorts. Locks without a worker come last, whatever the order. */
function compare(one: LookRow, other: LookRow, sort: SortField, order: 'asc' | 'desc'): number {
  const [left, right] = [SORT_VALUES[sort](one), SORT_VALUES[sort](other)];
  const byName = byBytes(one.lock_name, other.lock_name);
  if (left === null || right === null) return Number(left === null) - Number(right === null) || byName;
  const difference = typeof left === 'string' ? byBytes(left, String(right)) : left - Number(right);
  return (order === 'asc' ? difference : -difference) || byName;
}

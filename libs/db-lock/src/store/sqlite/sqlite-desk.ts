import { modeDetails } from '../../lease/modes.js';
import { byBytes } from '../../lease/names.js';
import { SHARED_GRANT } from '../../lease/requests.js';
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
  StateCounts,
} from '../lock-desk.js';
import { meantToken } from '../lock-desk.js';
import { differences } from '../edit-differences.js';
import { inOrder } from '../lock-order.js';
import { MIN_IDLE, type LockRecord } from '../lock-store.js';
import {
  toLease,
  toLock,
  toShare,
  toStateCounts,
  type LockRow,
  type LookRow,
  type StateRow,
} from '../rows.js';
import type { Connection } from './connection.js';
import type { DeskStatements } from './desk.sql.js';
import { expiredLease, leaseOf, type Leases, type Row } from './leases.js';
import type { Reader } from './reader.js';
import { patternOf } from './search-pattern.js';
import type { SharerRow, Sharers } from './sharers.js';

/** Operators' acts and views. */
export class SqliteDesk implements LockDesk {
  readonly #connection: Connection;

  constructor(
    private readonly sql: DeskStatements,
    private readonly leases: Leases,
    private readonly sharers: Sharers,
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
        if (!row) return false;
        this.sharers.forgetAll(lockName);
        this.#record('deleted', row, { actor, reason: null });
        return true;
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
    let items: LockRecord[] = [];
    await this.#readMatching(filter, (parameters) => {
      const found = this.#connection.all<LookRow>(this.sql.list({ sort, order }), { ...parameters, limit });
      items = items.concat(found.map(toLock)).toSorted(inOrder(sort, order)).slice(0, limit);
      // Slices come by name.
      return !(sort === 'lockName' && order === 'asc' && items.length === limit);
    });
    items = items.slice(limit - pageSize);
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
    const rows: StateRow[] = [];
    await this.reader.readInSlices((slice, now) => {
      rows.push(...this.#connection.all<StateRow>(this.sql.counts, { ...slice, now }));
    });
    return toStateCounts(rows);
  }

  #forceRelease(request: ForceReleaseRequest, now: number): ForceReleaseAnswer {
    const { lockName, actor, reason } = request;
    const row = this.leases.row(lockName, now);
    if (!row || !this.leases.isTaken(row, now)) return { outcome: 'free' };
    if (row.grant_id === SHARED_GRANT) return this.#forceReleaseShared(request, now);
    const meant = meantToken(request);
    if (meant !== undefined && meant !== row.token) return { outcome: 'changed' };
    this.#connection.run(this.sql.forceRelease, { lockName, now });
    this.#record('forced', row, { actor, reason });
    const next = this.leases.nextInLine(lockName, row.grant_id, now);
    return { outcome: 'forced', holders: [leaseOf(row)], next };
  }

  /** Ends one of the leases of a lock that is shared, or all. */
  #forceReleaseShared(
    { lockName, actor, reason, fencingToken }: ForceReleaseRequest,
    now: number,
  ): ForceReleaseAnswer {
    const [first, ...others] = this.sharers.sharers(lockName, fencingToken ?? null, now);
    if (!first) return { outcome: 'changed' };
    for (const row of [first, ...others]) {
      this.#record('forced', row, { actor, reason }, modeDetails(toShare(row)));
      this.sharers.remove(row);
    }
    const isOver = this.sharers.sharers(lockName, null, now, 1).length === 0;
    if (isOver) this.#connection.run(this.sql.forceRelease, { lockName, now });
    else this.sharers.settle(lockName, now);
    const next = this.sharers.nextAfter(lockName, first.grant_id, now);
    return { outcome: 'forced', holders: [toLease(first), ...others.map(toLease)], next };
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
    const row = this.leases.row(lockName, now);
    const isShared = row?.grant_id === SHARED_GRANT;
    const before = isShared ? this.#sharer(lockName, fencingToken, now) : row;
    const isMeant = before?.grant_id && before.expire_time > now && before.token === fencingToken;
    if (!isMeant) return { outcome: 'changed' };
    const values = {
      expireTime: ttl === undefined ? before.expire_time : now + ttl * 1000,
      metadata: metadata === undefined ? before.metadata : metadata && JSON.stringify(metadata),
    };
    const after =
      'release_time' in before
        ? this.sharers.edit(before, values, now)
        : this.#connection.get<Row>(this.sql.edit, { lockName, ...values, now })!;
    const lease = toLeaseOf(after);
    this.#record(
      'edited',
      before,
      { actor, reason },
      differences(toLeaseOf(before), lease, ttl !== undefined),
    );
    const next = this.leases.nextInLine(lockName, after.grant_id, now);
    return { outcome: 'edited', lease, next };
  }

  /** One who shares a lock. */
  #sharer(lockName: string, fencingToken: number, now: number): SharerRow | undefined {
    const [sharer] = this.sharers.sharers(lockName, fencingToken, now);
    return sharer?.release_time === null ? sharer : undefined;
  }

  #readMatching(filter: LockFilter, work: (parameters: SliceParameters) => boolean | void): Promise<void> {
    const parameters = parametersOf(filter);
    return this.reader.readInSlices((slice, now) => work({ ...slice, ...parameters, now }));
  }

  #record(
    event: HistoryEvent,
    { lock_name, worker_name, grant_id, token, server_time }: RecordedRow,
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

/** What is recorded of a lease. */
type RecordedRow = Pick<LockRow, 'lock_name' | 'worker_name' | 'grant_id' | 'token' | 'server_time'>;

const toLeaseOf = (row: Row | SharerRow) => ('release_time' in row ? toLease(row) : leaseOf(row));

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

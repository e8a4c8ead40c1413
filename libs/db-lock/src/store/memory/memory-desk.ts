import { byBytes } from '../../lease/names.js';
import {
  meantToken,
  type EditAnswer,
  type EditRequest,
  type ForceReleaseAnswer,
  type ForceReleaseRequest,
  type HoldAnswer,
  type HoldRequest,
  type ListQuery,
  type LockDesk,
  type LockFilter,
  type LockGroup,
  type LockPage,
  type StateCounts,
} from '../lock-desk.js';
import { differences } from '../edit-differences.js';
import { inOrder } from '../lock-order.js';
import { MIN_IDLE, type LockRecord, type LockState } from '../lock-store.js';
import type { HistoryEvent } from '../history-store.js';
import { modeDetails } from '../../lease/modes.js';
import { SHARED_GRANT } from '../../lease/requests.js';
import type { MemoryHistory } from './memory-history.js';
import type { MemorySharedLocks } from './memory-shared-locks.js';
import {
  copyOf,
  dateOf,
  expiredLease,
  type HolderRow,
  type LockRow,
  type MemoryTables,
} from './memory-tables.js';

/** Operators' acts and views, in memory. */
export class MemoryDesk implements LockDesk {
  constructor(
    private readonly tables: MemoryTables,
    private readonly history: MemoryHistory,
    private readonly shared: MemorySharedLocks,
  ) {}

  async forceRelease(requests: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]> {
    return requests.map((request) => {
      const { lockName, actor, reason, fencingToken } = request;
      const row = this.tables.locks.get(lockName);
      if (!row || !this.tables.isTaken(row)) return { outcome: 'free' };
      if (row.grantId === SHARED_GRANT) return this.#forceReleaseShared(row, actor, reason, fencingToken);
      const meant = meantToken(request);
      if (meant !== undefined && meant !== row.token) return { outcome: 'changed' };
      const holder = this.tables.leaseOf(row);
      this.#record('forced', row, actor, reason);
      this.tables.release(row);
      row.token = this.tables.tokenAfter(row.token);
      return { outcome: 'forced', holders: [holder], next: this.tables.nextInLine(lockName, holder.grantId) };
    });
  }

  /** Ends one of the leases of a lock that is shared, or all. */
  #forceReleaseShared(
    row: LockRow,
    actor: string,
    reason: string,
    fencingToken: number | undefined,
  ): ForceReleaseAnswer {
    const { lockName } = row;
    const [first, ...others] = this.tables
      .sharersOf(lockName)
      .filter(({ token }) => fencingToken === undefined || token === fencingToken)
      .toSorted((one, other) => other.token - one.token);
    if (!first) return { outcome: 'changed' };
    const ended = [first, ...others] as const;
    const leases = [
      this.tables.holderLease(first),
      ...others.map((holder) => this.tables.holderLease(holder)),
    ] as const;
    for (const holder of ended) {
      this.#record('forced', holder, actor, reason, modeDetails(holder.share));
      this.shared.end(holder);
    }
    if (this.tables.sharersOf(lockName).length === 0) row.token = this.tables.tokenAfter(row.token);
    this.tables.settleShared(row);
    return { outcome: 'forced', holders: leases, next: this.shared.nextAfter(lockName, first.grantId) };
  }

  async hold({ actor, reason, ...request }: HoldRequest): Promise<HoldAnswer> {
    const { lockName } = request;
    const before = this.tables.locks.get(lockName);
    if (before && this.tables.isTaken(before)) return { outcome: 'busy' };
    const expired = expiredLease(before);
    if (before && expired) this.#record('expired', { ...before, grantId: null }, null, null);
    const row = this.tables.grant(lockName, request);
    this.#record('created', row, actor, reason);
    return { outcome: 'held', lease: this.tables.leaseOf(row), expired };
  }

  async edit({ lockName, fencingToken, ttl, metadata, actor, reason }: EditRequest): Promise<EditAnswer> {
    const lock = this.tables.locks.get(lockName);
    if (!lock) return { outcome: 'changed' };
    const row = lock.grantId === SHARED_GRANT ? this.#sharer(lockName, fencingToken) : lock;
    if (!row || !this.tables.isLive(row) || row.token !== fencingToken) return { outcome: 'changed' };
    const before = { ...row };
    const leaseBefore = this.#leaseOf(row);
    if (ttl !== undefined) row.expireTime = this.tables.now() + ttl;
    if (metadata !== undefined) row.metadata = copyOf(metadata);
    row.version++;
    if (row !== lock) this.tables.settleShared(lock);
    const lease = this.#leaseOf(row);
    this.#record('edited', before, actor, reason, differences(leaseBefore, lease, ttl !== undefined));
    return {
      outcome: 'edited',
      lease,
      next: this.tables.nextInLine(lockName, row.grantId),
    };
  }

  /** One who shares a lock. */
  #sharer(lockName: string, fencingToken: number): HolderRow | undefined {
    return this.tables
      .sharersOf(lockName)
      .find(({ token, isReleased }) => token === fencingToken && !isReleased);
  }

  #leaseOf(row: LockRow | HolderRow) {
    return 'share' in row ? this.tables.holderLease(row) : this.tables.leaseOf(row);
  }

  async deleteReleased(lockNames: readonly string[], actor: string): Promise<string[]> {
    const counts = this.tables.waiterCounts();
    const deleted = [...new Set(lockNames)].flatMap((lockName) => this.tables.locks.get(lockName) ?? []);
    return deleted
      .toSorted((one, other) => byBytes(one.lockName, other.lockName))
      .filter((row) => this.tables.stateOf(row) === 'released' && this.tables.isIdle(row, MIN_IDLE))
      .filter(({ lockName }) => !counts.has(lockName))
      .map((row) => {
        this.tables.locks.delete(row.lockName);
        this.tables.holders.delete(row.lockName);
        this.#record('deleted', row, actor, null);
        return row.lockName;
      });
  }

  async clearExpired(actor?: string): Promise<number> {
    const expired = [...this.tables.locks.values()].filter(
      (row) => this.tables.stateOf(row) === 'expired' && !this.tables.isTaken(row),
    );
    for (const row of expired) {
      if (actor !== undefined) this.#record('cleared', row, actor, null);
      Object.assign(row, { workerName: null, grantId: null, metadata: null, version: row.version + 1 });
    }
    return expired.length;
  }

  async page({
    sort,
    order,
    page,
    pageSize,
    ...filter
  }: ListQuery): Promise<Pick<LockPage, 'items' | 'serverTime'>> {
    const sorted = this.#matching(filter).toSorted(inOrder(sort, order));
    const items = sorted.slice((page - 1) * pageSize, page * pageSize);
    return { items, serverTime: dateOf(this.tables.now()) };
  }

  async count(filter: LockFilter): Promise<number> {
    return this.#matching(filter).length;
  }

  async *listAll(filter: LockFilter, chunk: number): AsyncGenerator<LockRecord[]> {
    const all = this.#matching(filter).toSorted(inOrder('lockName', 'asc'));
    for (let from = 0; from < all.length; from += chunk) yield all.slice(from, from + chunk);
  }

  async groups(filter: LockFilter, limit: number): Promise<LockGroup[]> {
    const start = filter.prefix?.length ?? 0;
    const groups = new Map<string, LockGroup>();
    for (const { lockName, state, waiting } of this.#matching(filter)) {
      const colon = lockName.indexOf(':', start);
      if (colon < 0) continue;
      const prefix = lockName.slice(0, colon + 1);
      const group = groups.get(prefix) ?? { prefix, total: 0, held: 0, expired: 0, released: 0, waiting: 0 };
      group.total++;
      group[state]++;
      group.waiting += waiting;
      groups.set(prefix, group);
    }
    return [...groups.values()].toSorted((one, other) => byBytes(one.prefix, other.prefix)).slice(0, limit);
  }

  async countByState(): Promise<StateCounts> {
    const counts: StateCounts = { held: 0, expired: 0, released: 0, contended: 0, waiting: 0 };
    for (const { state, waiting } of this.#matching({})) {
      counts[state]++;
      counts.contended += waiting > 0 ? 1 : 0;
      counts.waiting += waiting;
    }
    return counts;
  }

  #matching({ search, state, prefix = '' }: LockFilter): LockRecord[] {
    const counts = this.tables.waiterCounts();
    const wanted = search && anyCase(search);
    return [...this.tables.locks.values()]
      .filter(({ lockName }) => lockName.startsWith(prefix))
      .filter(
        (row) =>
          !wanted ||
          [
            row.lockName,
            row.workerName,
            ...this.tables.holdingsOf(row).map(({ workerName }) => workerName),
          ].some((text) => text !== null && anyCase(text).includes(wanted)),
      )
      .map((row) => this.tables.recordOf(row, counts.get(row.lockName) ?? 0))
      .filter((lock) => isIn(state, lock));
  }

  #record(
    event: HistoryEvent,
    { lockName, workerName, grantId, token }: Pick<LockRow, 'lockName' | 'workerName' | 'grantId' | 'token'>,
    actor: string | null,
    reason: string | null,
    details: Record<string, unknown> | null = null,
  ): void {
    const time = this.tables.now();
    this.history.add({
      event,
      lockName,
      workerName,
      grantId,
      fencingToken: token,
      actor,
      reason,
      details,
      time,
    });
  }
}

/** The same in upper and in lower case. In lower case, a sigma that ends a word is another letter. */
const anyCase = (text: string) => text.toLowerCase().replaceAll('ς', 'σ');

function isIn(wanted: LockState | 'contended' | undefined, { state, waiting }: LockRecord): boolean {
  return wanted === undefined || state === wanted || (wanted === 'contended' && waiting > 0);
}

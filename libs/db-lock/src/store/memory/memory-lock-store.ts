import { monotonicNow } from '../../lease/clock.js';
import { durationSchema, MAX_TTL, type Duration } from '../../lease/duration.js';
import {
  isShared,
  parseRequest,
  SHARED_GRANT,
  type AcquireRequest,
  type ReleaseRequest,
  type RenewRequest,
  type SharedRequest,
} from '../../lease/requests.js';
import { letPass } from '../../lease/timer.js';
import {
  MAX_HOLDERS_SHOWN,
  MAX_QUEUE_SHOWN,
  type AcquireAnswer,
  type AcquireSetAnswer,
  type HolderRecord,
  type InspectedLock,
  type LockStore,
  type ReleaseAnswer,
  type RenewAnswer,
} from '../lock-store.js';
import { TURN } from '../wait-queue.js';
import { MemoryDesk } from './memory-desk.js';
import { MemoryHistory } from './memory-history.js';
import { dateOf, expiredLease, MemoryTables, timeBetween, type LockRow } from './memory-tables.js';
import { MemorySharedLocks } from './memory-shared-locks.js';
import { MemoryWaitQueue } from './memory-wait-queue.js';

/** As long as the longest lease. */
const advanceSchema = durationSchema(0, MAX_TTL);

const toleranceSchema = durationSchema(0, 60_000);

export interface MemoryLockStoreOptions {
  /** For how long a lease that was not released keeps others out after its end: 0 to 1 minute. Default 0. */
  clockTolerance?: Duration;
}

/**
 * Locks in this process's memory, for tests: nothing is left when the process ends, and no other process sees them. It does all that a store
 * in a database does, at once.
 */
export class MemoryLockStore implements LockStore {
  readonly #tables: MemoryTables;
  readonly clockTolerance: number;
  readonly queue: MemoryWaitQueue;
  readonly shared: MemorySharedLocks;
  readonly desk: MemoryDesk;
  readonly history: MemoryHistory;

  constructor({ clockTolerance = 0 }: MemoryLockStoreOptions = {}) {
    const origin = Date.now() - monotonicNow();
    this.clockTolerance = parseRequest(toleranceSchema, clockTolerance, 'clockTolerance');
    this.#tables = new MemoryTables(() => origin + monotonicNow(), this.clockTolerance);
    this.history = new MemoryHistory(this.#tables);
    this.queue = new MemoryWaitQueue(this.#tables);
    this.shared = new MemorySharedLocks(this.#tables, (row) => this.#holderOf(row));
    this.desk = new MemoryDesk(this.#tables, this.history, this.shared);
  }

  async acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    return requests.map((request) => {
      const holder = this.#holderFor(request);
      return holder ? { outcome: 'busy', holder } : this.#grant(request);
    });
  }

  async acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    for (const request of requests) {
      const holder = isShared(request) ? this.#obstacleTo(request) : this.#holderFor(request);
      if (holder) return { outcome: 'busy', holder };
    }
    const granted = requests.map((request) => {
      if (!isShared(request)) return this.#grant(request);
      const [answer] = this.shared.decide([request]);
      return answer as Extract<AcquireAnswer, { outcome: 'granted' }>;
    });
    return {
      outcome: 'granted',
      leases: granted.map(({ lease }) => lease),
      repeated: granted.every(({ repeated }) => repeated),
      expired: granted.flatMap(({ expired, alsoExpired }) => [
        ...(expired ? [expired] : []),
        ...(alsoExpired ?? []),
      ]),
    };
  }

  async renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return requests.map(({ lockName, grantId, ttl, held }) => {
      const row = this.#tables.liveLease(lockName, grantId);
      if (!row || (held && held.fencingToken !== row.token)) return { outcome: 'lost', ...this.#time };
      row.expireTime = Math.max(row.expireTime, this.#tables.now() + ttl);
      row.version++;
      return { outcome: 'renewed', lease: this.#tables.leaseOf(row) };
    });
  }

  async release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]> {
    return requests.map((request) => {
      const row =
        'grantId' in request
          ? this.#tables.liveLease(request.lockName, request.grantId)
          : this.#leaseOfWorker(request.lockName, request.workerName);
      const isMeant = request.version === undefined || request.version === String(row?.version);
      if (!row || !isMeant) return { outcome: 'lost', ...this.#time };
      const grantId = row.grantId!;
      this.#tables.release(row, 'minHold' in request ? request.minHold : 0);
      const next = this.#tables.nextInLine(row.lockName, grantId);
      return { outcome: 'released', grantId, next, ...this.#time };
    });
  }

  async inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>> {
    return lockNames.map((lockName) => {
      const row = this.#tables.locks.get(lockName);
      if (!row) return null;
      const waiters = this.#tables.aliveWaiters(lockName);
      const queue = waiters
        .slice(0, MAX_QUEUE_SHOWN)
        .map(({ workerName, ticket, share }) => ({ workerName, since: dateOf(ticket / 1000), share }));
      const holders = this.#tables.holdingsOf(row).slice(0, MAX_HOLDERS_SHOWN);
      return { ...this.#tables.recordOf(row, waiters.length), holders, queue };
    });
  }

  async removeIdle(retention: number): Promise<number> {
    const idle = [...this.#tables.locks.values()].filter((row) => this.#tables.isIdle(row, retention));
    for (const { lockName } of idle) {
      this.#tables.locks.delete(lockName);
      this.#tables.holders.delete(lockName);
    }
    return idle.length;
  }

  /**
   * Lets time pass at once, for whoever uses a store in this process: leases expire, are renewed and are lost as if it had passed. Timers of
   * your own don't hear of it.
   * @param duration 0 to 30 days, in ms or as '31s'
   * @throws InvalidLockRequestError
   */
  async advance(duration: Duration): Promise<void> {
    await letPass(parseRequest(advanceSchema, duration, 'duration'));
  }

  async ping(): Promise<void> {}

  /** What it holds stays, for who opens another server over it. */
  async close(): Promise<void> {
    this.queue.close();
  }

  get #time() {
    return { serverTime: dateOf(this.#tables.now()) };
  }

  /** Who keeps the lock from who asks; undefined when nobody does. */
  #holderFor({ lockName, grantId, ticket }: AcquireRequest): HolderRecord | undefined {
    const row = this.#tables.locks.get(lockName);
    if (!row) return undefined;
    const isOwn = row.grantId === grantId;
    if (isOwn && this.#tables.isLive(row)) return undefined;
    if (this.#tables.isTaken(row) && !isOwn) return this.#holderOf(row);
    return this.#firstInLine(row, grantId, ticket ?? Infinity);
  }

  /** Who keeps the lock from one who wants to share it. */
  #obstacleTo(request: SharedRequest): HolderRecord | undefined {
    const [answer] = this.shared.decide([request], true);
    return answer?.outcome === 'busy' ? answer.holder : undefined;
  }

  #holderOf(row: LockRow): HolderRecord {
    const { fencingToken: _, ...holder } = this.#tables.leaseOf(row);
    return { ...holder, timeLeft: timeBetween(this.#tables.now(), this.#tables.freeTime(row)) };
  }

  /** Of a lock that came free a moment ago: who has waited longer than the one who asks. */
  #firstInLine(row: LockRow, grantId: string, ticket: number): HolderRecord | undefined {
    const now = this.#tables.now();
    const freeTime = this.#tables.freeTime(row);
    if (freeTime > now || freeTime <= now - TURN) return undefined;
    const [first] = this.#tables.aliveWaiters(row.lockName);
    if (!first || first.grantId === grantId || first.ticket >= ticket) return undefined;
    return {
      lockName: row.lockName,
      workerName: first.workerName,
      grantId: first.grantId,
      lockTime: dateOf(freeTime),
      expireTime: dateOf(freeTime + TURN),
      timeLeft: timeBetween(now, freeTime + TURN),
      serverTime: dateOf(now),
    };
  }

  #grant(request: AcquireRequest): Extract<AcquireAnswer, { outcome: 'granted' }> {
    const { lockName, grantId } = request;
    const before = this.#tables.locks.get(lockName);
    const repeated = before !== undefined && before.grantId === grantId && this.#tables.isLive(before);
    if (repeated) before.version++;
    const row = repeated ? before : this.#tables.grant(lockName, request);
    this.#tables.leaveQueue(lockName, grantId);
    const expired = before?.grantId === grantId ? undefined : expiredLease(before);
    const lease = this.#tables.leaseOf(row, repeated ? undefined : row.lockTime);
    return { outcome: 'granted', lease, repeated, expired };
  }

  #leaseOfWorker(lockName: string, workerName: string): LockRow | undefined {
    const row = this.#tables.locks.get(lockName);
    const isTheirs = row?.workerName === workerName && row.grantId !== SHARED_GRANT;
    return isTheirs && this.#tables.isLive(row) ? row : undefined;
  }
}

import { randomUUID } from 'node:crypto';
import {
  SHARED_GRANT,
  type DowngradeRequest,
  type ReleaseByGrant,
  type RenewRequest,
  type SharedRequest,
} from '../../lease/requests.js';
import {
  MAX_HOLDERS_SHOWN,
  type AcquireAnswer,
  type ExpiredLease,
  type HolderRecord,
  type Holding,
  type LeaseRecord,
  type ReleaseAnswer,
  type RenewAnswer,
} from '../lock-store.js';
import { timeBetween, toHolding, toLease, toShare, toTime, type LockRow } from '../rows.js';
import type { DowngradeAnswer } from '../shared-locks.js';
import { decideShared, sharedAnswers, sharerOf, type FirstWaiter, type SharedState } from '../sharing.js';
import { TURN, type NextInLine } from '../wait-queue.js';
import type { Connection } from './connection.js';
import { expiredLease, type Leases, type Row } from './leases.js';
import type { SharedStatements } from './shared.sql.js';

/** A lease in shared mode as SQLite has it: whole numbers are numbers. */
export interface SharerRow extends LockRow {
  worker_name: string;
  grant_id: string;
  token: number;
  lock_time: number;
  expire_time: number;
  permits: number;
  permit_limit: number | null;
  /** Of one that was released, and whose permits stay taken. */
  release_time: number | null;
}

/** A lock that is asked for in shared mode. */
interface FoundLock {
  row: Row | undefined;
  /** Leases in shared mode keep others out. */
  isShared: boolean;
  state: SharedState;
  /** That of the last grant. */
  token: number;
  /** The latest of the ends of those who share it. */
  end: number;
  /** Who was granted it last, here. */
  newest?: SharedRequest;
}

type DeadRow = Pick<SharerRow, 'lock_name' | 'worker_name' | 'token' | 'release_time'>;

interface WaiterRow {
  server: string;
  grant_id: string;
  ticket: number;
  worker_name: string;
  permits: number | null;
  permit_limit: number | null;
}

/** What becomes of leases in shared mode: to be called within a transaction that nobody else writes beside, with the time of its beginning. */
export class Sharers {
  constructor(
    private readonly connection: Connection,
    private readonly sql: SharedStatements & { leftQueue: string },
    private readonly leases: Leases,
  ) {}

  /** Decides all requests, in order, and grants what is to be granted. */
  acquire(requests: readonly SharedRequest[], now: number): AcquireAnswer[] {
    const isAnybodyWaiting = this.leases.isAnybodyWaiting(now);
    const locks = this.#find(requests, isAnybodyWaiting, now);
    const decided = decideShared(requests, statesOf(locks));
    const expired = new Map<string, readonly ExpiredLease[]>();
    const leases = new Map<number, LeaseRecord>();
    for (const index of decided.order) {
      const request = requests[index]!;
      const { lockName, grantId } = request;
      const { outcome } = decided.decisions[index]!;
      if (outcome === 'granted' || outcome === 'repeated')
        this.connection.run(this.sql.leftQueue, { lockName, grantId });
      if (outcome === 'repeated') leases.set(index, this.#repeat(lockName, grantId, now));
      if (outcome !== 'granted') continue;
      const lock = locks.get(lockName)!;
      if (!lock.newest) {
        const forgotten = this.#forget(lockName, lock, now);
        if (forgotten.length > 0) expired.set(lockName, forgotten);
      }
      leases.set(index, this.#grant(request, lock, now));
    }
    for (const lock of locks.values()) this.#share(lock, now);
    return sharedAnswers(requests, decided, { leaseOf: (index) => leases.get(index)!, expired });
  }

  /** Who keeps the lock from the one who asks; undefined when nobody does. */
  obstacleTo(request: SharedRequest, now: number): HolderRecord | undefined {
    const locks = this.#find([request], this.leases.isAnybodyWaiting(now), now);
    const [decision] = decideShared([request], statesOf(locks)).decisions;
    return decision?.outcome === 'busy' ? decision.holder : undefined;
  }

  renew({ lockName, grantId, ttl, held }: RenewRequest, now: number): RenewAnswer {
    const token = held?.fencingToken ?? null;
    const row = this.connection.get<SharerRow>(this.sql.renew, {
      lockName,
      grantId,
      ttl: ttl * 1000,
      token,
      now,
    });
    if (!row) return { outcome: 'lost', serverTime: toTime(now) };
    this.connection.run(this.sql.extend, { lockName, expireTime: row.expire_time });
    return { outcome: 'renewed', lease: toLease(row) };
  }

  /** Ends leases, each if it is live; with `minHold`, its permits stay taken until so many milliseconds after its start. */
  release(requests: readonly ReleaseByGrant[], now: number): ReleaseAnswer[] {
    const isAnybodyWaiting = this.leases.isAnybodyWaiting(now);
    const serverTime = toTime(now);
    const changed = new Set<string>();
    const answers = requests.map((request): ReleaseAnswer => {
      const { lockName, grantId } = request;
      if (!this.#end(request, now)) return { outcome: 'lost', serverTime };
      changed.add(lockName);
      const next = isAnybodyWaiting ? this.nextAfter(lockName, grantId, now) : null;
      return { outcome: 'released', grantId, next, serverTime };
    });
    for (const lockName of changed) this.settle(lockName, now);
    return answers;
  }

  downgrade({ lockName, grantId, share }: DowngradeRequest, now: number): DowngradeAnswer {
    const known = this.connection.get<SharerRow>(this.sql.repeat, { lockName, grantId, now });
    if (known) return { outcome: 'downgraded', lease: toLease(known), repeated: true, next: null };
    const row = this.leases.row(lockName, now);
    if (row?.grant_id !== grantId || row.expire_time <= now)
      return { outcome: 'lost', serverTime: toTime(now) };
    const token = Math.max(row.token + 1, now);
    this.connection.all(this.sql.forgetAll, { lockName });
    this.connection.run(this.sql.add, {
      lockName,
      grantId,
      workerName: row.worker_name,
      token,
      ...share,
      lockTime: row.lock_time,
      expireTime: row.expire_time,
      metadata: row.metadata,
    });
    this.connection.run(this.sql.downgrade, { lockName, token });
    const lease = toLease(this.#live(lockName, grantId, now)!);
    const next = this.nextAfter(lockName, grantId, now);
    return { outcome: 'downgraded', lease, repeated: false, next };
  }

  /** Those whose permits are taken, or the one of that token; the newest first. */
  sharers(lockName: string, token: number | null, now: number, limit = -1): SharerRow[] {
    return this.connection.all<SharerRow>(this.sql.sharers, { lockName, token, limit, now });
  }

  remove({ lock_name, grant_id }: SharerRow): void {
    this.connection.run(this.sql.remove, { lockName: lock_name, grantId: grant_id });
  }

  edit(
    { lock_name, grant_id }: SharerRow,
    values: { expireTime: number; metadata: string | null },
    now: number,
  ): SharerRow {
    const parameters = { lockName: lock_name, grantId: grant_id, ...values, now };
    const after = this.connection.get<SharerRow>(this.sql.edit, parameters)!;
    this.settle(lock_name, now);
    return after;
  }

  /** Takes away whatever is left of a lock's leases. */
  forgetAll(lockName: string): void {
    this.connection.all(this.sql.forgetAll, { lockName });
  }

  /** The lock's row follows from those who share it: it lasts as long as the longest, and names the newest. Without any, it is free. */
  settle(lockName: string, now: number): void {
    const [newest] = this.sharers(lockName, null, now, 1);
    if (!newest) {
      this.connection.run(this.sql.free, { lockName, now });
      return;
    }
    const { worker_name: workerName, lock_time: lockTime, metadata } = newest;
    const { expire_time: expireTime } = this.#taken(lockName, now);
    this.connection.run(this.sql.settle, { lockName, workerName, lockTime, metadata, expireTime });
  }

  /** The first who waits, where there may be something for it: not for one who wants the lock alone while others have it. */
  nextAfter(lockName: string, ended: string, now: number): NextInLine | null {
    const next = this.connection.get<WaiterRow>(this.sql.next, { lockName, ended, now });
    return next ? { server: next.server, grantId: next.grant_id } : null;
  }

  /** Those who share a lock, as everybody may see them: the oldest, and at most `MAX_HOLDERS_SHOWN`. */
  holdingsOf({ lock_name, grant_id }: Pick<LockRow, 'lock_name' | 'grant_id'>, now: number): Holding[] {
    if (grant_id !== SHARED_GRANT) return [];
    const parameters = { lockName: lock_name, limit: MAX_HOLDERS_SHOWN, now };
    return this.connection.all<SharerRow>(this.sql.holdings, parameters).map(toHolding);
  }

  #find(requests: readonly SharedRequest[], isAnybodyWaiting: boolean, now: number) {
    const asking = new Map<string, Set<string>>();
    for (const { lockName, grantId } of requests)
      asking.set(lockName, (asking.get(lockName) ?? new Set()).add(grantId));
    const locks = new Map<string, FoundLock>();
    for (const [lockName, grantIds] of asking)
      locks.set(lockName, this.#findOne(lockName, [...grantIds], isAnybodyWaiting, now));
    return locks;
  }

  #findOne(lockName: string, asking: readonly string[], isAnybodyWaiting: boolean, now: number): FoundLock {
    const row = this.leases.row(lockName, now);
    const isTaken = row !== undefined && this.leases.isTaken(row, now);
    const isShared = isTaken && row.grant_id === SHARED_GRANT;
    const first = row && isAnybodyWaiting ? this.#firstWaiter(row, isTaken, asking, now) : undefined;
    const found = { row, isShared, token: row?.token ?? 0, end: 0 };
    if (!isShared) {
      const holder = isTaken ? this.leases.holderOf(row) : undefined;
      return { ...found, state: { holder, permits: 0, own: new Map(), first } };
    }
    const { permits, expire_time, first_end } = this.#taken(lockName, now);
    const [newest] = this.sharers(lockName, null, now, 1);
    const sharer = newest && { ...sharerOf(toLease(newest)), timeLeft: timeBetween(now, first_end) };
    const own = new Map<string, LeaseRecord>();
    for (const grantId of asking) {
      const live = this.#live(lockName, grantId, now);
      if (live) own.set(grantId, toLease(live));
    }
    return { ...found, end: expire_time, state: { permits, sharer, own, first } };
  }

  /** Nobody may pass the first in the queue while the lock is shared, and for a while after it came free. */
  #firstWaiter(row: Row, isTaken: boolean, asking: readonly string[], now: number): FirstWaiter | undefined {
    const { lock_name: lockName } = row;
    const freeTime = this.leases.freeTime(row);
    const turnsEnd = freeTime + TURN * 1000;
    if (!isTaken && turnsEnd <= now) return undefined;
    const first = this.connection.get<WaiterRow>(this.sql.firstOfOthers, {
      lockName,
      asking: JSON.stringify(asking),
      now,
    });
    if (!first) return undefined;
    const { server, grant_id: grantId, ticket, worker_name: workerName } = first;
    const record: HolderRecord = {
      lockName,
      workerName,
      grantId,
      lockTime: toTime(freeTime),
      expireTime: toTime(turnsEnd),
      timeLeft: timeBetween(now, turnsEnd),
      serverTime: toTime(now),
    };
    return { server, grantId, ticket, record, share: toShare(first) ?? null };
  }

  /** Takes away what must not come to life again, and tells which leases came to their ends without a release. */
  #forget(lockName: string, { row, isShared }: FoundLock, now: number): ExpiredLease[] {
    const dead = isShared
      ? this.connection.all<DeadRow>(this.sql.forgetDead, { lockName, now })
      : this.connection.all<DeadRow>(this.sql.forgetAll, { lockName });
    if (row?.grant_id !== SHARED_GRANT) return [expiredLease(row)].filter((lease) => lease !== undefined);
    return dead
      .filter(({ release_time }) => release_time === null)
      .map(({ worker_name, token }) => ({ lockName, workerName: worker_name, fencingToken: token }))
      .toSorted((one, other) => one.fencingToken - other.fencingToken);
  }

  #grant(request: SharedRequest, lock: FoundLock, now: number): LeaseRecord {
    const { lockName, workerName, grantId, ttl, metadata, share } = request;
    const end = now + ttl * 1000;
    lock.token = Math.max(lock.token + 1, now);
    lock.end = Math.max(lock.end, end);
    lock.newest = request;
    this.connection.run(this.sql.add, {
      lockName,
      grantId,
      workerName,
      token: lock.token,
      ...share,
      lockTime: now,
      expireTime: end,
      metadata: metadata && JSON.stringify(metadata),
    });
    return {
      lockName,
      workerName,
      grantId,
      fencingToken: lock.token,
      lockTime: toTime(now),
      expireTime: toTime(end),
      metadata,
      serverTime: toTime(now),
      timeLeft: ttl,
      version: `${lock.token}.1`,
      share,
    };
  }

  /** Writes the row of a lock that was granted. */
  #share({ newest, token, end }: FoundLock, now: number): void {
    if (!newest) return;
    const { lockName, workerName, metadata } = newest;
    const json = metadata && JSON.stringify(metadata);
    this.connection.run(this.sql.share, {
      lockName,
      workerName,
      token,
      expireTime: end,
      metadata: json,
      now,
    });
  }

  #repeat(lockName: string, grantId: string, now: number): LeaseRecord {
    return toLease(this.connection.get<SharerRow>(this.sql.repeat, { lockName, grantId, now })!);
  }

  /** Ends a live lease, and tells whether there was one. Its lock's row is to be settled. */
  #end({ lockName, grantId, minHold = 0, version }: ReleaseByGrant, now: number): boolean {
    const row = this.#live(lockName, grantId, now);
    if (!row || (version !== undefined && version !== row.version)) return false;
    const until = row.lock_time + minHold * 1000;
    if (minHold > 0 && until > now)
      this.connection.run(this.sql.keep, { lockName, grantId, nobodysGrant: randomUUID(), until, now });
    else this.remove(row);
    return true;
  }

  #live(lockName: string, grantId: string, now: number): SharerRow | undefined {
    return this.connection.get<SharerRow>(this.sql.live, { lockName, grantId, now });
  }

  #taken(lockName: string, now: number) {
    return this.connection.get<{ permits: number; expire_time: number; first_end: number }>(this.sql.taken, {
      lockName,
      now,
    })!;
  }
}

const statesOf = (locks: ReadonlyMap<string, FoundLock>) =>
  new Map([...locks].map(([lockName, { state }]) => [lockName, state]));

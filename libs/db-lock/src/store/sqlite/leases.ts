import type { AcquireRequest } from '../../lease/requests.js';
import type { ReleaseRequest } from '../../lease/requests.js';
import { NOBODYS_GRANT } from '../../lease/requests.js';
import type { AcquireAnswer, ExpiredLease, HolderRecord, LeaseRecord } from '../lock-store.js';
import { timeLeft, toLease, toTime, type LockRow } from '../rows.js';
import { TURN, type NextInLine } from '../wait-queue.js';
import type { Connection } from './connection.js';
import type { LockStatements } from './locks.sql.js';
import type { QueueStatements } from './queue.sql.js';

/** A lock as SQLite has it: whole numbers are numbers. */
export interface Row extends Omit<LockRow, 'version'> {
  token: number;
  lock_time: number;
  expire_time: number;
  version: number;
}

export type Granted = Extract<AcquireAnswer, { outcome: 'granted' }>;

export type Busy = Extract<AcquireAnswer, { outcome: 'busy' }>;

/** A release of one lease; its end, at the earliest, in milliseconds after its start; and the state in which alone it is ended. */
type Release = Extract<ReleaseRequest, { grantId: string }>;

/**
 * What becomes of locks, one by one: to be called within a transaction that nobody else writes beside, with the time of its beginning in
 * microseconds.
 */
export class Leases {
  readonly #tolerance: number;

  /** @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end */
  constructor(
    private readonly connection: Connection,
    private readonly sql: LockStatements & { queue: QueueStatements },
    private readonly clockTolerance: number,
  ) {
    this.#tolerance = clockTolerance * 1000;
  }

  /** Whether anybody waits for any lock. While nobody does, no queue needs a look. */
  isAnybodyWaiting(now: number): boolean {
    return this.connection.get(this.sql.queue.anybody, { now }) !== undefined;
  }

  acquire(request: AcquireRequest, now: number, isAnybodyWaiting: boolean): Granted | Busy {
    if (!isAnybodyWaiting) {
      const taken = this.#take(this.sql.takeReleased, request, now);
      if (taken) return { outcome: 'granted', lease: taken, repeated: false, expired: undefined };
    }
    const row = this.row(request.lockName, now);
    const holder = row && this.holderFor(request, row, now);
    return holder ? { outcome: 'busy', holder } : this.grant(request, row, now, isAnybodyWaiting);
  }

  row(lockName: string, now: number): Row | undefined {
    return this.connection.get<Row>(this.sql.row, { lockName, now });
  }

  /** Who keeps the lock from the one who asks; undefined when nobody does. */
  holderFor({ grantId, ticket }: AcquireRequest, row: Row, now: number): HolderRecord | undefined {
    const isOwn = row.grant_id === grantId;
    if (isOwn && row.expire_time > now) return undefined;
    if (this.isTaken(row, now) && !isOwn) return this.holderOf(row);
    return this.#firstInLine(row, grantId, ticket ?? Number.MAX_SAFE_INTEGER, now);
  }

  /** Grants a lock that nobody keeps from the one who asks. */
  grant(request: AcquireRequest, row: Row | undefined, now: number, isAnybodyWaiting: boolean): Granted {
    const { lockName, grantId } = request;
    if (isAnybodyWaiting) this.connection.run(this.sql.queue.leftQueue, { lockName, grantId });
    if (row?.grant_id === grantId && row.expire_time > now) {
      this.connection.run(this.sql.repeat, { lockName });
      const lease = leaseOf({ ...row, version: row.version + 1 });
      return { outcome: 'granted', lease, repeated: true };
    }
    const lease = this.take(request, now);
    return { outcome: 'granted', lease, repeated: false, expired: expiredLease(row, grantId) };
  }

  /** Takes a lock, whosever it was. */
  take(request: AcquireRequest, now: number): LeaseRecord {
    return this.#take(this.sql.take, request, now)!;
  }

  /** Ends a lease, if it is live, and tells who is next; null where nobody is. */
  release(
    { lockName, grantId, minHold = 0, version }: Release,
    now: number,
    isAnybodyWaiting = true,
  ): { next: NextInLine | null } | undefined {
    const ending = { lockName, grantId, minHold, version };
    const stays = (minHold > 0 || version !== undefined) && this.#stays(ending, now);
    if (stays === undefined) return undefined;
    if (!stays && this.connection.run(this.sql.release, [now, lockName, grantId, now]) === 0)
      return undefined;
    return { next: isAnybodyWaiting ? this.nextInLine(lockName, grantId, now) : null };
  }

  /** The first who waits for the lock, unless it is the one whose lease has ended. */
  nextInLine(lockName: string, ended: string | null, now: number): NextInLine | null {
    const next = this.connection.get<{ server: string; grant_id: string }>(this.sql.queue.next, {
      lockName,
      ended,
      now,
    });
    return next ? { server: next.server, grantId: next.grant_id } : null;
  }

  /** Whether a lock keeps others out: by a live lease, or by one that has just run out. */
  isTaken(row: Row, now: number): boolean {
    return row.grant_id !== null && this.freeTime(row) > now;
  }

  /** From when on others may have the lock. */
  freeTime({ grant_id, expire_time }: Row): number {
    return expire_time + (isSomebodys(grant_id) ? this.#tolerance : 0);
  }

  /** Who keeps a taken lock from others. */
  holderOf(row: Row): HolderRecord {
    const { fencingToken: _, ...holder } = leaseOf(row);
    return { ...holder, timeLeft: timeLeft(row, isSomebodys(row.grant_id) ? this.clockTolerance : 0) };
  }

  #take(sql: string, { lockName, workerName, grantId, ttl, metadata }: AcquireRequest, now: number) {
    const end = now + ttl * 1000;
    const json = metadata && JSON.stringify(metadata);
    const values = [lockName, workerName, grantId, now, now, end, json];
    const taken = this.connection.get<Pick<Row, 'token' | 'version'>>(sql, values);
    if (!taken) return undefined;
    const lease: LeaseRecord = {
      lockName,
      workerName,
      grantId,
      fencingToken: taken.token,
      lockTime: toTime(now),
      expireTime: toTime(end),
      metadata,
      serverTime: toTime(now),
      timeLeft: ttl,
      version: String(taken.version),
    };
    return lease;
  }

  /** Lets the lock stay taken, if it is to, and tells whether it does. Undefined: there is no such lease in that state. */
  #stays({ lockName, grantId, minHold = 0, version }: Release, now: number): boolean | undefined {
    const row = this.row(lockName, now);
    if (row?.grant_id !== grantId || row.expire_time <= now) return undefined;
    if (version !== undefined && version !== String(row.version)) return undefined;
    const until = row.lock_time + minHold * 1000;
    return minHold > 0 && until > now && this.connection.run(this.sql.releaseLater, { lockName, until }) > 0;
  }

  /** Of a lock that came free a moment ago: who has waited longer than the one who asks. */
  #firstInLine(row: Row, grantId: string, ticket: number, now: number): HolderRecord | undefined {
    const freeTime = this.freeTime(row);
    const turnsEnd = freeTime + TURN * 1000;
    if (freeTime > now || turnsEnd <= now) return undefined;
    const first = this.connection.get<{ worker_name: string; grant_id: string; ticket: number }>(
      this.sql.queue.first,
      { lockName: row.lock_name, now },
    );
    if (!first || first.grant_id === grantId || first.ticket >= ticket) return undefined;
    return {
      lockName: row.lock_name,
      workerName: first.worker_name,
      grantId: first.grant_id,
      lockTime: toTime(freeTime),
      expireTime: toTime(turnsEnd),
      timeLeft: timeLeft({ server_time: now, expire_time: turnsEnd }),
      serverTime: toTime(now),
    };
  }
}

/** A lock that was released and stays taken for a while is nobody's. */
const isSomebodys = (grantId: string | null) => grantId !== null && grantId !== NOBODYS_GRANT;

/** A row of a lease, live or just ended. */
export const leaseOf = (row: Row): LeaseRecord => toLease({ ...row, version: String(row.version) });

/** The lease that a grant comes after, if it was never released. A grant's own does not count. */
export function expiredLease(before: Row | undefined, grantId?: string): ExpiredLease | undefined {
  if (!before || !isSomebodys(before.grant_id) || before.grant_id === grantId) return undefined;
  return { lockName: before.lock_name, workerName: before.worker_name!, fencingToken: before.token };
}

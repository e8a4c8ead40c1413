import type { LockMetadata } from '../../lease/metadata.js';
import type { Share } from '../../lease/modes.js';
import { NOBODYS_GRANT, SHARED_GRANT } from '../../lease/requests.js';
import type { ExpiredLease, LeaseRecord, Holding, LockRecord, LockState, Sharing } from '../lock-store.js';
import { sharingOf } from '../sharing.js';
import { ALIVE, type NextInLine, type Waiter } from '../wait-queue.js';

/** A lock. Times are milliseconds since 1970, with fractions. */
export interface LockRow {
  readonly lockName: string;
  /** Null when released. */
  workerName: string | null;
  grantId: string | null;
  token: number;
  lockTime: number;
  expireTime: number;
  metadata: LockMetadata | null;
  /** Grows with each writing. */
  version: number;
}

/** A lease in shared mode. It counts while its lock has the grantId `SHARED_GRANT`. */
export interface HolderRow {
  readonly lockName: string;
  workerName: string;
  readonly grantId: string;
  token: number;
  lockTime: number;
  expireTime: number;
  metadata: LockMetadata | null;
  share: Share;
  /** Its holder has released it, and its permits stay taken until its end. */
  isReleased: boolean;
  /** Grows with each writing. */
  version: number;
}

/** Somebody who waits for a lock. */
export interface WaiterRow extends Waiter {
  readonly server: string;
  readonly ticket: number;
  aliveUntil: number;
}

/** A lease as it is asked for. */
export interface Grant {
  workerName: string;
  grantId: string;
  ttl: number;
  metadata: LockMetadata | null;
}

/** The locks and those who wait for them, and the clock that decides. Nothing here waits: each change is whole before the next begins. */
export class MemoryTables {
  readonly locks = new Map<string, LockRow>();
  /** Leases in shared mode, by lock and grantId. */
  readonly holders = new Map<string, Map<string, HolderRow>>();
  waiters: WaiterRow[] = [];

  /**
   * @param now milliseconds since 1970
   * @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end
   */
  constructor(
    readonly now: () => number,
    readonly clockTolerance: number,
  ) {}

  isLive({ grantId, expireTime }: Pick<LockRow, 'grantId' | 'expireTime'>): boolean {
    return grantId !== null && expireTime > this.now();
  }

  /** The lease, if it is live. */
  liveLease(lockName: string, grantId: string): LockRow | undefined {
    const row = this.locks.get(lockName);
    return row && row.grantId === grantId && this.isLive(row) ? row : undefined;
  }

  /** From when on others may have the lock. */
  freeTime({ grantId, expireTime }: LockRow): number {
    return expireTime + (isSomebodys(grantId) ? this.clockTolerance : 0);
  }

  /** Whether the lock keeps others out: by a live lease, or by one that has just run out. */
  isTaken(row: LockRow): boolean {
    return row.grantId !== null && this.freeTime(row) > this.now();
  }

  /** Those whose permits are taken: of leases in shared mode that are live, or still keep others out. The oldest first. */
  sharersOf(lockName: string): HolderRow[] {
    if (this.locks.get(lockName)?.grantId !== SHARED_GRANT) return [];
    return [...(this.holders.get(lockName)?.values() ?? [])].filter((holder) => this.keepsOut(holder));
  }

  keepsOut({ expireTime, isReleased }: HolderRow): boolean {
    return expireTime + (isReleased ? 0 : this.clockTolerance) > this.now();
  }

  /** The lease in shared mode, if it is live. */
  liveHolder(lockName: string, grantId: string): HolderRow | undefined {
    if (this.locks.get(lockName)?.grantId !== SHARED_GRANT) return undefined;
    const holder = this.holders.get(lockName)?.get(grantId);
    return holder && !holder.isReleased && holder.expireTime > this.now() ? holder : undefined;
  }

  /** The lock's row follows from its holders: it lasts as long as the longest, and names the newest. Without any, it is free. */
  settleShared(row: LockRow): void {
    const sharers = this.sharersOf(row.lockName);
    const newest = sharers.toSorted((one, other) => other.token - one.token)[0];
    if (!newest) return this.release(row);
    const { workerName, lockTime, metadata } = newest;
    const expireTime = Math.max(...sharers.map((sharer) => sharer.expireTime));
    Object.assign(row, { workerName, lockTime, metadata, expireTime, version: row.version + 1 });
  }

  stateOf({ grantId, expireTime }: LockRow): LockState {
    if (grantId === null) return 'released';
    if (expireTime > this.now()) return 'held';
    return grantId === NOBODYS_GRANT ? 'released' : 'expired';
  }

  /** A token for now: grows even when the lock was removed since. */
  tokenAfter(token: number): number {
    return Math.max(token + 1, microseconds(this.now()));
  }

  grant(lockName: string, { workerName, grantId, ttl, metadata }: Grant): LockRow {
    const now = this.now();
    const before = this.locks.get(lockName);
    const row: LockRow = {
      lockName,
      workerName,
      grantId,
      token: this.tokenAfter(before?.token ?? 0),
      lockTime: now,
      expireTime: now + ttl,
      metadata: copyOf(metadata),
      version: (before?.version ?? 0) + 1,
    };
    this.locks.set(lockName, row);
    return row;
  }

  /** Frees the lock; with `minHold`, it stays taken until so many milliseconds after the start of the lease, and is nobody's. */
  release(row: LockRow, minHold = 0): void {
    const now = this.now();
    const staysTaken = minHold > 0 && row.lockTime + minHold > now;
    Object.assign(
      row,
      staysTaken
        ? { grantId: NOBODYS_GRANT, expireTime: row.lockTime + minHold }
        : { workerName: null, grantId: null, metadata: null, expireTime: now },
    );
    row.version++;
  }

  /** Nobody has used the lock for so many milliseconds, and its token does not run ahead of the clock. */
  isIdle({ expireTime, token }: LockRow, milliseconds: number): boolean {
    const then = this.now() - milliseconds;
    return expireTime <= then && token < microseconds(then);
  }

  /** Those who wait for the lock and whose server has been heard of, in their order. */
  aliveWaiters(lockName: string): WaiterRow[] {
    const now = this.now();
    return this.waiters
      .filter((waiter) => waiter.lockName === lockName && waiter.aliveUntil > now)
      .toSorted((one, other) => one.ticket - other.ticket);
  }

  /** How many wait for each lock that is waited for. */
  waiterCounts(): Map<string, number> {
    const now = this.now();
    const counts = new Map<string, number>();
    for (const { lockName, aliveUntil } of this.waiters)
      if (aliveUntil > now) counts.set(lockName, (counts.get(lockName) ?? 0) + 1);
    return counts;
  }

  /** The first who waits for the lock, unless it is the one whose lease has ended. */
  nextInLine(lockName: string, ended: string | null): NextInLine | null {
    const next = this.aliveWaiters(lockName).find(({ grantId }) => grantId !== ended);
    return next ? { server: next.server, grantId: next.grantId } : null;
  }

  /** Who has got a lock waits no longer. */
  leaveQueue(lockName: string, grantId: string): void {
    this.waiters = this.waiters.filter(
      (waiter) => waiter.lockName !== lockName || waiter.grantId !== grantId,
    );
  }

  aliveUntil(): number {
    return this.now() + ALIVE;
  }

  leaseOf(row: LockRow | HolderRow, now = this.now()): LeaseRecord {
    return {
      lockName: row.lockName,
      workerName: row.workerName!,
      grantId: row.grantId!,
      fencingToken: row.token,
      lockTime: dateOf(row.lockTime),
      expireTime: dateOf(row.expireTime),
      metadata: copyOf(row.metadata),
      serverTime: dateOf(now),
      timeLeft: timeBetween(now, row.expireTime),
      version: String(row.version),
    };
  }

  holderLease(row: HolderRow, now = this.now()): LeaseRecord {
    return { ...this.leaseOf(row, now), version: versionOf(row), share: { ...row.share } };
  }

  /** Those who have a lock, the oldest first. */
  holdingsOf(row: LockRow): Holding[] {
    if (this.stateOf(row) !== 'held') return [];
    if (row.grantId !== SHARED_GRANT) return [holdingOf(row)];
    return this.#liveSharers(row.lockName).map((holder) => ({
      ...holdingOf(holder),
      share: { ...holder.share },
    }));
  }

  #liveSharers(lockName: string): HolderRow[] {
    return this.sharersOf(lockName)
      .filter(({ expireTime }) => expireTime > this.now())
      .toSorted((one, other) => one.token - other.token);
  }

  #sharingOf({ lockName, grantId }: LockRow): Sharing | undefined {
    const sharers = grantId === SHARED_GRANT ? this.#liveSharers(lockName) : [];
    return sharers.length > 0 ? sharingOf(sharers.map(({ share }) => share)) : undefined;
  }

  recordOf(row: LockRow, waiting: number): LockRecord {
    const state = this.stateOf(row);
    const isReleased = state === 'released';
    return {
      lockName: row.lockName,
      state,
      workerName: isReleased ? null : row.workerName,
      fencingToken: row.token,
      lockTime: dateOf(row.lockTime),
      expireTime: dateOf(row.expireTime),
      metadata: isReleased ? null : copyOf(row.metadata),
      serverTime: dateOf(this.now()),
      waiting,
      sharing: this.#sharingOf(row),
    };
  }
}

/** A lease as everybody may see it. */
const holdingOf = ({ workerName, token, lockTime, expireTime, metadata }: LockRow | HolderRow): Holding => ({
  workerName: workerName!,
  fencingToken: token,
  lockTime: dateOf(lockTime),
  expireTime: dateOf(expireTime),
  metadata: copyOf(metadata),
});

/** With its token, the number of its writings is of no other lease of the same grantId. */
export const versionOf = ({ token, version }: HolderRow) => `${token}.${version}`;

/** A lock that was released and stays taken for a while is nobody's. */
const isSomebodys = (grantId: string | null): grantId is string =>
  grantId !== null && grantId !== NOBODYS_GRANT;

/** The lease that a grant comes after, if it was never released. */
export function expiredLease(before: LockRow | undefined): ExpiredLease | undefined {
  if (!before || !isSomebodys(before.grantId)) return undefined;
  return { lockName: before.lockName, workerName: before.workerName!, fencingToken: before.token };
}

/** What a caller does to its metadata later is none of the store's business. */
export const copyOf = (metadata: LockMetadata | null) =>
  metadata && (JSON.parse(JSON.stringify(metadata)) as LockMetadata);

export const microseconds = (milliseconds: number) => Math.floor(milliseconds * 1000);

export const dateOf = (milliseconds: number) => new Date(Math.floor(milliseconds));

export const timeBetween = (from: number, until: number) => Math.max(0, Math.floor(until - from));

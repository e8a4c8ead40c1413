import { SHARED_GRANT } from '../../lease/requests.js';
import type { ExpiredLease, HolderRecord, LeaseRecord } from '../lock-store.js';
import { timeBetween, toLease, toTime, type LockRow } from '../rows.js';
import type { FirstWaiter, SharedState } from '../sharing.js';
import { freeTime, keeperOf, keptFor, unreleasedLease } from './seen.js';

/** A lock with what those who share it take together. Nothing of that counts where the row does not say that it is shared. */
export interface FoundRow extends LockRow {
  taken: string | null;
  /** When the first of them ends, and the last. */
  first_end: string | null;
  last_end: string | null;
  /** Rows of holders, and of those that keep nobody out. */
  holder_rows: string | null;
  dead_rows: string | null;
  /** The newest: when it began and ends, and whose it is, with spaces between. */
  newest: string | null;
  /** Who waits: a ticket, a grantId, a server, permits and a limit (`-` for none) and a name, with spaces between. */
  first: string | null;
}

/** A lease that nobody has released. */
export type ForgottenRow = Pick<LockRow, 'lock_name' | 'worker_name' | 'token'>;

/** A lock as one who wants to share it finds it. */
export class FoundLock {
  /** Whether its holders count. */
  readonly isShared: boolean;
  readonly state: SharedState;

  constructor(
    readonly row: FoundRow,
    own: ReadonlyMap<string, LeaseRecord>,
    private readonly forgotten: readonly ExpiredLease[],
    private readonly clockTolerance: number,
  ) {
    const now = Number(row.server_time);
    this.isShared = row.grant_id === SHARED_GRANT && freeTime(row, clockTolerance) > now;
    this.state = {
      holder: this.isShared ? undefined : keeperOf(row, clockTolerance),
      permits: this.isShared ? Number(row.taken ?? 0) : 0,
      sharer: this.#sharer(),
      own: this.isShared ? own : new Map<string, LeaseRecord>(),
      first: this.#first(),
    };
  }

  get lockName(): string {
    return this.row.lock_name;
  }

  /** The leases that a grant comes after, and that were never released. */
  get expired(): ExpiredLease[] {
    if (this.row.grant_id === SHARED_GRANT) return [...this.forgotten];
    const expired = unreleasedLease(this.row);
    return expired ? [expired] : [];
  }

  /** Those of its holders that must be gone before another one comes: all, where it was not shared just now. */
  get leftovers(): 'all' | 'dead' | 'none' {
    if (!this.isShared) return Number(this.row.holder_rows ?? 0) > 0 ? 'all' : 'none';
    return Number(this.row.dead_rows ?? 0) > 0 ? 'dead' : 'none';
  }

  /** When the last of those ends who share it; 0 where nobody does. */
  get lastEnd(): number {
    return this.isShared ? Number(this.row.last_end ?? 0) : 0;
  }

  /** The newest of those who share it, with the time until the first of them ends. */
  #sharer(): HolderRecord | undefined {
    const { lock_name, newest, first_end, server_time } = this.row;
    if (!this.isShared || newest === null) return undefined;
    const [lockTime, expireTime] = newest.split(' ', 2) as [string, string];
    return {
      lockName: lock_name,
      workerName: newest.slice(lockTime.length + expireTime.length + 2),
      grantId: SHARED_GRANT,
      lockTime: toTime(lockTime),
      expireTime: toTime(expireTime),
      timeLeft: timeBetween(Number(server_time), Number(first_end)),
      serverTime: toTime(server_time),
    };
  }

  #first(): FirstWaiter | undefined {
    const { first } = this.row;
    if (first === null) return undefined;
    const words = first.split(' ', 5) as [string, string, string, string, string];
    const [ticket, grantId, server, permits, limit] = words;
    const workerName = first.slice(words.join(' ').length + 1);
    return {
      server,
      grantId,
      ticket: Number(ticket),
      share:
        permits === '-' ? null : { permits: Number(permits), limit: limit === '-' ? null : Number(limit) },
      record: keptFor(this.row, { grantId, workerName }, this.clockTolerance),
    };
  }
}

/** @param forgotten what is told of leases that nobody released; nothing, unless somebody may be granted */
export function foundLocks(
  rows: readonly FoundRow[],
  own: readonly LockRow[],
  forgotten: readonly ForgottenRow[],
  clockTolerance: number,
): Map<string, FoundLock> {
  const leases = new Map<string, Map<string, LeaseRecord>>();
  for (const row of own) {
    const ofLock = leases.get(row.lock_name) ?? new Map<string, LeaseRecord>();
    leases.set(row.lock_name, ofLock.set(row.grant_id!, toLease(row)));
  }
  const expired = new Map<string, ExpiredLease[]>();
  for (const { lock_name, worker_name, token } of forgotten) {
    const ofLock = expired.get(lock_name) ?? [];
    ofLock.push({ lockName: lock_name, workerName: worker_name!, fencingToken: Number(token) });
    expired.set(lock_name, ofLock);
  }
  return new Map(
    rows.map((row) => {
      const name = row.lock_name;
      return [
        name,
        new FoundLock(row, leases.get(name) ?? new Map(), expired.get(name) ?? [], clockTolerance),
      ];
    }),
  );
}

/** A lock that there is no row of: free, and kept for nobody. */
const UNKNOWN: SharedState = { permits: 0, own: new Map() };

/** What is to be known of each name for a decision. */
export const statesOf = (names: Iterable<string>, found: ReadonlyMap<string, FoundLock>) =>
  new Map([...names].map((name) => [name, found.get(name)?.state ?? UNKNOWN]));

import type { LockMetadata } from '../lease/metadata.js';
import type { Share } from '../lease/modes.js';
import type { AcquireRequest } from '../lease/requests.js';
import type { HistoryEvent, HistoryRecord } from './history-store.js';
import type { StateCounts } from './lock-desk.js';
import type { Holding, InspectedLock, LeaseRecord, LockRecord, LockState, Sharing } from './lock-store.js';
import type { NextInLine } from './wait-queue.js';

/** A whole number below 2^53, as text where a driver would make less of it. */
type Whole = string | number;

/** Since 1970. */
export type Microseconds = Whole;

/** A lock as the statements of all databases return it: whole microseconds, and JSON as text. */
export interface LockRow {
  lock_name: string;
  worker_name: string | null;
  grant_id: string | null;
  token: Whole;
  lock_time: Microseconds;
  expire_time: Microseconds;
  server_time: Microseconds;
  metadata: string | null;
  version?: string | null;
  /** Of a lease in shared mode. */
  permits?: Whole | null;
  permit_limit?: Whole | null;
}

/** What a row says of a share; undefined where it is none. */
export function toShare({
  permits,
  permit_limit,
}: Pick<LockRow, 'permits' | 'permit_limit'>): Share | undefined {
  if (permits === undefined || permits === null) return undefined;
  const isLimited = permit_limit !== undefined && permit_limit !== null;
  return { permits: Number(permits), limit: isLimited ? Number(permit_limit) : null };
}

export interface HistoryRow {
  id: Whole;
  lock_name: string;
  event: HistoryEvent;
  worker_name: string | null;
  grant_id: string | null;
  token: Whole | null;
  actor: string | null;
  reason: string | null;
  details: string | null;
  event_time: Microseconds;
}

/** Whole milliseconds: exact until the year 2255. */
export const milliseconds = (time: Microseconds) => Math.floor(Number(time) / 1000);

export const toTime = (microseconds: Microseconds) => new Date(milliseconds(microseconds));

/**
 * Milliseconds from the store's clock to the end of the lease; 0 when it is over.
 * @param longer so many milliseconds after the end
 */
export const timeLeft = (
  { expire_time, server_time }: Pick<LockRow, 'expire_time' | 'server_time'>,
  longer = 0,
) => timeBetween(Number(server_time), Number(expire_time), longer);

/** Whole milliseconds between two times in microseconds, never below 0. */
export const timeBetween = (from: number, to: number, longer = 0) =>
  Math.max(0, milliseconds(to - from) + longer);

const metadata = (json: string | null) => (json === null ? null : (JSON.parse(json) as LockMetadata));

/** A row of a lease as everybody may see it. */
export function toHolding(row: Omit<LockRow, 'grant_id' | 'server_time'>): Holding {
  return {
    workerName: row.worker_name!,
    fencingToken: Number(row.token),
    lockTime: toTime(row.lock_time),
    expireTime: toTime(row.expire_time),
    metadata: metadata(row.metadata),
    share: toShare(row),
  };
}

/** A row of a lease, live or just ended. */
export function toLease(row: LockRow): LeaseRecord {
  const lease = leaseOf(row, row.worker_name!, row.grant_id!, metadata(row.metadata));
  const share = toShare(row);
  return share ? { ...lease, share } : lease;
}

/** A row of a lease that was granted just now, as it was asked for. */
export function toGrant(row: LockRow, { workerName, grantId, metadata }: AcquireRequest): LeaseRecord {
  return leaseOf(row, workerName, grantId, metadata);
}

function leaseOf(
  row: LockRow,
  workerName: string,
  grantId: string,
  metadata: LockMetadata | null,
): LeaseRecord {
  return {
    lockName: row.lock_name,
    workerName,
    grantId,
    fencingToken: Number(row.token),
    lockTime: toTime(row.lock_time),
    expireTime: toTime(row.expire_time),
    metadata,
    serverTime: toTime(row.server_time),
    timeLeft: timeLeft(row),
    version: row.version ?? undefined,
  };
}

/** A row of a lock as it is looked at. */
export interface LookRow extends LockRow {
  state: LockState;
  waiting: Whole;
  /** JSON of a `Sharing`; null where no live leases in shared mode are there. */
  sharing?: string | null;
}

/** Of a lock that was released, it may still be written whose it was: it had stayed taken for a while. */
export function toLock(row: LookRow): LockRecord {
  const isReleased = row.state === 'released';
  return {
    lockName: row.lock_name,
    state: row.state,
    workerName: isReleased ? null : row.worker_name,
    fencingToken: Number(row.token),
    lockTime: toTime(row.lock_time),
    expireTime: toTime(row.expire_time),
    metadata: isReleased ? null : metadata(row.metadata),
    serverTime: toTime(row.server_time),
    waiting: Number(row.waiting),
    ...(row.sharing && { sharing: JSON.parse(row.sharing) as Sharing }),
  };
}

/** Who holds a lock: those who share it, or the one that has it. */
export function holdersOf(row: LookRow, sharers: readonly Holding[]): Holding[] {
  if (sharers.length > 0) return [...sharers];
  return row.state === 'held' ? [toHolding(row)] : [];
}

/** A waiter, in JSON; the permits are of one who waits for a lease in shared mode. */
interface QueuedRow extends Pick<LockRow, 'permits' | 'permit_limit'> {
  workerName: string;
  since: number;
}

/** `queue` is JSON, null when nobody waits. */
export function toInspectedLock(
  row: LookRow & { queue: string | null },
  sharers: readonly Holding[] = [],
): InspectedLock {
  const queue = JSON.parse(row.queue ?? '[]') as QueuedRow[];
  return {
    ...toLock(row),
    holders: holdersOf(row, sharers),
    queue: queue.map(({ workerName, since, ...share }) => ({
      workerName,
      since: new Date(since),
      share: toShare(share),
    })),
  };
}

/** `next` is a server and a grantId, with a space between. */
export function toNext({ next }: { next: string | null }): NextInLine | null {
  if (next === null) return null;
  const [server, grantId] = next.split(' ') as [string, string];
  return { server, grantId };
}

export function toHistory(row: HistoryRow): HistoryRecord {
  return {
    cursor: `${row.event_time}-${row.id}`,
    lockName: row.lock_name,
    event: row.event,
    workerName: row.worker_name,
    grantId: row.grant_id,
    fencingToken: row.token === null ? null : Number(row.token),
    actor: row.actor,
    reason: row.reason,
    details: metadata(row.details),
    eventTime: toTime(row.event_time),
  };
}

/** How many locks are in one state, and how many of them are waited for, by how many. */
export type StateRow = { state: LockState } & Record<'total' | 'contended' | 'waiting', Whole>;

export function toStateCounts(rows: readonly StateRow[]): StateCounts {
  const counts: StateCounts = { held: 0, expired: 0, released: 0, contended: 0, waiting: 0 };
  for (const { state, total, contended, waiting } of rows) {
    counts[state] += Number(total);
    counts.contended += Number(contended);
    counts.waiting += Number(waiting);
  }
  return counts;
}

import type { LockMetadata } from '../lease/metadata.js';
import type { HistoryRecord, InspectedLock, LeaseRecord, LockRecord, LockState } from './lock-store.js';
import type { NextInLine } from './wait-queue.js';

/** Whole milliseconds: a number, unless the application gave its driver another parser for float8. */
type Milliseconds = number | string;

/** A lock as the statements return it: whole milliseconds, bigints and JSON as text. */
export interface LockRow {
  lock_name: string;
  worker_name: string | null;
  grant_id: string | null;
  token: string;
  lock_time: Milliseconds;
  expire_time: Milliseconds;
  server_time: Milliseconds;
  time_left: Milliseconds;
  metadata: string | null;
  version?: string | null;
}

export interface HistoryRow {
  lock_name: string;
  event: 'forced';
  worker_name: string;
  token: string;
  actor: string;
  reason: string;
  event_time: Milliseconds;
}

const time = (milliseconds: Milliseconds) => new Date(Number(milliseconds));

const metadata = (json: string | null) => (json === null ? null : (JSON.parse(json) as LockMetadata));

/** A row of a lease, live or just ended. */
export function toLease(row: LockRow): LeaseRecord {
  return {
    lockName: row.lock_name,
    workerName: row.worker_name!,
    grantId: row.grant_id!,
    fencingToken: Number(row.token),
    lockTime: time(row.lock_time),
    expireTime: time(row.expire_time),
    metadata: metadata(row.metadata),
    serverTime: time(row.server_time),
    timeLeft: Number(row.time_left),
    version: row.version ?? undefined,
  };
}

/** A row of a lock as it is looked at. */
export interface LookRow extends LockRow {
  state: LockState;
  waiting: number;
}

export function toLock(row: LookRow): LockRecord {
  return {
    lockName: row.lock_name,
    state: row.state,
    workerName: row.worker_name,
    fencingToken: Number(row.token),
    lockTime: time(row.lock_time),
    expireTime: time(row.expire_time),
    metadata: metadata(row.metadata),
    serverTime: time(row.server_time),
    waiting: row.waiting,
  };
}

/** `queue` is JSON, null when nobody waits. */
export function toInspectedLock(row: LookRow & { queue: string | null }): InspectedLock {
  const queue = JSON.parse(row.queue ?? '[]') as Array<{ workerName: string; since: number }>;
  return {
    ...toLock(row),
    queue: queue.map(({ workerName, since }) => ({ workerName, since: new Date(since) })),
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
    lockName: row.lock_name,
    event: row.event,
    workerName: row.worker_name,
    fencingToken: Number(row.token),
    actor: row.actor,
    reason: row.reason,
    eventTime: time(row.event_time),
  };
}

import { NOBODYS_GRANT, type AcquireRequest } from '../../lease/requests.js';
import type { ExpiredLease, HolderRecord } from '../lock-store.js';
import { toLease, toTime, type LockRow } from '../rows.js';
import { TURN } from '../wait-queue.js';
import { microsecondsOf } from './fragments.sql.js';

/** A lock as a plain read sees it. */
export interface SeenRow extends LockRow {
  /** Of one that came free a moment ago: who has waited longest. A ticket, a grantId and a name, with spaces between. */
  first: string | null;
}

/** A lock that was released and stayed taken for a while is nobody's. */
const isSomebodys = ({ grant_id }: LockRow) => grant_id !== null && grant_id !== NOBODYS_GRANT;

/** From when on others may have a lock, in microseconds since 1970. */
export const freeTime = (row: LockRow, clockTolerance: number) =>
  Number(row.expire_time) + (isSomebodys(row) ? microsecondsOf(clockTolerance) : 0);

/** Whose lease keeps others out: a live one, or one that has just run out. */
export function keeperOf(row: LockRow, clockTolerance: number): HolderRecord | undefined {
  const now = Number(row.server_time);
  const free = freeTime(row, clockTolerance);
  if (row.grant_id === null || free <= now) return undefined;
  const { fencingToken: _, ...holder } = toLease(row);
  return { ...holder, timeLeft: Math.floor((free - now) / 1000) };
}

/** The first who waits for a lock that came free a moment ago, as one who keeps it from others. */
export function keptFor(
  row: LockRow,
  { grantId, workerName }: Pick<HolderRecord, 'grantId' | 'workerName'>,
  clockTolerance: number,
): HolderRecord {
  const now = Number(row.server_time);
  const free = freeTime(row, clockTolerance);
  const turnEnds = free + microsecondsOf(TURN);
  return {
    lockName: row.lock_name,
    workerName,
    grantId,
    lockTime: toTime(free),
    expireTime: toTime(turnEnds),
    timeLeft: Math.max(0, Math.floor((turnEnds - now) / 1000)),
    serverTime: toTime(now),
  };
}

/**
 * Who keeps the lock from who asks: its holder, or, where it came free a moment ago, who has waited longer. Undefined when nobody does, and for
 * who asks for a lease that it has itself.
 */
export function holderSeen(
  row: SeenRow,
  { grantId, ticket }: AcquireRequest,
  clockTolerance: number,
): HolderRecord | undefined {
  if (row.grant_id === grantId) return undefined;
  const keeper = keeperOf(row, clockTolerance);
  if (keeper) return keeper;
  const first = row.first === null ? undefined : waiterOf(row.first);
  if (!first || first.grantId === grantId || first.ticket >= (ticket ?? Infinity)) return undefined;
  return keptFor(row, first, clockTolerance);
}

function waiterOf(first: string): { ticket: number; grantId: string; workerName: string } {
  const [ticket, grantId] = first.split(' ', 2) as [string, string];
  return { ticket: Number(ticket), grantId, workerName: first.slice(ticket.length + grantId.length + 2) };
}

/** The lease of somebody else that a grant comes after, if it was never released. */
export const expiredLease = (row: LockRow | undefined, { grantId }: AcquireRequest) =>
  row?.grant_id === grantId ? undefined : unreleasedLease(row);

/** A lock's last lease, if it was never released. */
export function unreleasedLease(row: LockRow | undefined): ExpiredLease | undefined {
  if (!row || !isSomebodys(row)) return undefined;
  return { lockName: row.lock_name, workerName: row.worker_name!, fencingToken: Number(row.token) };
}

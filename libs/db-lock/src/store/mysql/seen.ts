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
const freeTime = (row: LockRow, clockTolerance: number) =>
  Number(row.expire_time) + (isSomebodys(row) ? microsecondsOf(clockTolerance) : 0);

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
  const now = Number(row.server_time);
  const free = freeTime(row, clockTolerance);
  if (row.grant_id !== null && free > now) {
    const { fencingToken: _, ...holder } = toLease(row);
    return { ...holder, timeLeft: Math.floor((free - now) / 1000) };
  }
  const first = row.first === null ? undefined : waiterOf(row.first);
  if (!first || first.grantId === grantId || first.ticket >= (ticket ?? Infinity)) return undefined;
  const turnEnds = free + microsecondsOf(TURN);
  return {
    lockName: row.lock_name,
    workerName: first.workerName,
    grantId: first.grantId,
    lockTime: toTime(free),
    expireTime: toTime(turnEnds),
    timeLeft: Math.floor((turnEnds - now) / 1000),
    serverTime: toTime(now),
  };
}

function waiterOf(first: string): { ticket: number; grantId: string; workerName: string } {
  const [ticket, grantId] = first.split(' ', 2) as [string, string];
  return { ticket: Number(ticket), grantId, workerName: first.slice(ticket.length + grantId.length + 2) };
}

/** The lease of somebody else that a grant comes after, if it was never released. */
export function expiredLease(
  row: LockRow | undefined,
  { grantId }: AcquireRequest,
): ExpiredLease | undefined {
  if (!row || !isSomebodys(row) || row.grant_id === grantId) return undefined;
  return { lockName: row.lock_name, workerName: row.worker_name!, fencingToken: Number(row.token) };
}

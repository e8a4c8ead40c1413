import { NOBODYS_GRANT, SHARED_GRANT } from '../../lease/requests.js';

/** What each statement gets as `:now`: the time, in microseconds since 1970. */
export const NOW = ':now';

/** Whose a lock is that was released and stays taken for a while. */
export const NOBODY = `'${NOBODYS_GRANT}'`;

/** Whose a lock is that is shared. */
export const SHARED = `'${SHARED_GRANT}'`;

export const stateOf = (row: string) => `
    CASE
      WHEN ${row}.grant_id IS NULL THEN 'released'
      WHEN ${row}.expire_time > ${NOW} THEN 'held'
      WHEN ${row}.grant_id = ${NOBODY} THEN 'released'
      ELSE 'expired'
    END`;

/** Whose a lock is: of one that was released, it may still be written whose it was. */
export const workerOf = (row: string) =>
  `CASE WHEN ${row}.grant_id <> ${NOBODY} OR ${row}.expire_time > ${NOW} THEN ${row}.worker_name END`;

const LEASE = ['lock_name', 'worker_name', 'grant_id', 'token', 'lock_time', 'expire_time', 'metadata'];

/** A lock as `rows.ts` reads it. */
export const leaseColumns = (row: string) =>
  `${LEASE.map((column) => `${row}.${column}`).join(', ')}, ${row}.row_version AS version, ${NOW} AS server_time`;

/** The same of what was written: RETURNING knows no other name of the table. */
export const RETURNING_LEASE = `RETURNING ${LEASE.join(', ')}, row_version AS version, ${NOW} AS server_time`;

/** Those who wait for a lock and whose server has been heard of. */
export const aliveWaiters = (waiters: string, lockName: string) => `
  FROM ${waiters} AS waiter
  WHERE waiter.lock_name = ${lockName} AND waiter.alive_until > ${NOW}`;

/**
 * The leases in shared mode whose permits are taken: those that are live, or keep others out for the clock tolerance, in microseconds; and those
 * that were released and stay for a while. They count only while the lock is shared.
 */
export const sharersOf = (holders: string, lockName: string, clockTolerance: number) => `
  FROM ${holders} AS holder
  WHERE holder.lock_name = ${lockName} AND ${keepsOut('holder', clockTolerance)}`;

/** Whether a lease in shared mode keeps others out. */
export const keepsOut = (holder: string, clockTolerance: number) =>
  `${keptUntil(holder, clockTolerance)} > ${NOW}`;

/** Until when a lease in shared mode keeps others out. */
export const keptUntil = (holder: string, clockTolerance: number) =>
  `${holder}.expire_time + CASE WHEN ${holder}.release_time IS NULL THEN ${clockTolerance} ELSE 0 END`;

/** The leases in shared mode that share a lock and whose time isn't over. */
export const liveSharersOf = (holders: string, row: string) => `
        FROM ${holders} AS holder
        WHERE holder.lock_name = ${row}.lock_name AND holder.expire_time > ${NOW}`;

/** JSON of what those take together who share a lock; null where nobody does. Nothing is read of a lock that isn't shared. */
export const sharingOf = (row: string, holders: string) => {
  const sharers = liveSharersOf(holders, row);
  return `
    CASE WHEN ${row}.grant_id = ${SHARED} THEN (
      SELECT CASE WHEN count(*) > 0 THEN json_object(
        'holders', count(*),
        'permits', sum(holder.permits),
        'limits', json((SELECT json_group_array(permit_limit) FROM (
          SELECT DISTINCT holder.permit_limit ${sharers} AND holder.permit_limit IS NOT NULL ORDER BY holder.permit_limit
        )))
      ) END ${sharers}
    ) END`;
};

/** A lock as operators see it. */
export const lookColumns = (row: string, waiters: string, holders: string) => `
    ${stateOf(row)} AS state,
    (SELECT count(*) ${aliveWaiters(waiters, `${row}.lock_name`)}) AS waiting,
    ${sharingOf(row, holders)} AS sharing,
    ${leaseColumns(row)}`;

/** How many wait for each lock that is waited for. */
export const waiterCounts = (waiters: string) => `
  SELECT waiter.lock_name, count(*) AS waiting
  FROM ${waiters} AS waiter
  WHERE waiter.alive_until > ${NOW}
  GROUP BY waiter.lock_name`;

/** Nobody has used the lock since `:idleSince`, and its token does not run ahead of the clock: without its row, the next token is a greater one. */
export const isIdle = (row: string) => `${row}.expire_time <= :idleSince AND ${row}.token < :idleSince`;

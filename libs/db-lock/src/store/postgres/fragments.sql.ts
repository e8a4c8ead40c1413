import { NOBODYS_GRANT } from '../../lease/requests.js';
import { ALIVE } from '../wait-queue.js';

/** A statement with the name under which a connection keeps it prepared. */
export interface Statement {
  name: string;
  text: string;
}

export const MILLISECOND = `interval '1 millisecond'`;

/** Microseconds since 1970. By way of a double, which is exact to a fraction of one and far faster than `numeric`. */
export const microseconds = (time: string) => `(date_part('epoch', ${time}) * 1000000)::bigint`;

/** Times and tokens leave as whole numbers in text: no driver's parser, JS Date or session time zone can bend them. */
export const timeColumn = (time: string) => `${microseconds(time)}::text`;

/** The fencing token of a grant at a time: grows even when the row was removed or a failover lost the last grant. */
export const tokenAt = microseconds;

/** Nobody has used the lock for so long, and its token does not run ahead of the clock: without its row, the next token is a greater one. */
export const isIdle = (row: string, milliseconds: string) => `
    ${row}.expire_time <= clock_timestamp() - ${milliseconds} * ${MILLISECOND}
    AND ${row}.token < ${tokenAt(`(clock_timestamp() - ${milliseconds} * ${MILLISECOND})`)}`;

export const leaseColumns = (row: string) => `
    ${row}.lock_name,
    ${row}.worker_name,
    ${row}.grant_id::text AS grant_id,
    ${row}.token::text AS token,
    ${timeColumn(`${row}.lock_time`)} AS lock_time,
    ${timeColumn(`${row}.expire_time`)} AS expire_time,
    ${timeColumn('clock_timestamp()')} AS server_time,
    ${row}.metadata::text AS metadata`;

/** Whose a lock is that was released and stays taken for a while. */
export const NOBODY = `'${NOBODYS_GRANT}'::uuid`;

/**
 * From when on others may have a lock: the end of its lease, and the tolerance after that where the lease was not released.
 * @param clockTolerance in milliseconds
 */
export const freeTime = (row: string, clockTolerance: number, grantId = `${row}.grant_id`) =>
  clockTolerance === 0
    ? `${row}.expire_time`
    : `(${row}.expire_time + CASE WHEN ${grantId} <> ${NOBODY} THEN ${clockTolerance} ELSE 0 END * ${MILLISECOND})`;

export const stateOf = (row: string) => `
    CASE
      WHEN ${row}.grant_id IS NULL THEN 'released'
      WHEN ${row}.expire_time > statement_timestamp() THEN 'held'
      WHEN ${row}.grant_id = ${NOBODY} THEN 'released'
      ELSE 'expired'
    END`;

/** Those who wait for a lock and whose server has been heard of; `"C"` on both sides, so that the index serves. */
export const aliveWaiters = (waiters: string, lockName: string) => `
  FROM ${waiters} AS waiter
  WHERE waiter.lock_name = ${lockName} AND waiter.alive_until > clock_timestamp()`;

/** How many wait for each lock that is waited for. */
export const waiterCounts = (waiters: string) => `
  SELECT waiter.lock_name, count(*)::int AS waiting
  FROM ${waiters} AS waiter
  WHERE waiter.alive_until > clock_timestamp()
  GROUP BY waiter.lock_name`;

/** A lock as operators see it. */
export const lookColumns = (row: string, waiters: string) => `
    ${stateOf(row)} AS state,
    (SELECT count(*) ${aliveWaiters(waiters, `${row}.lock_name`)})::int AS waiting,${leaseColumns(row)}`;

/** How long a waiter counts as alive without being heard of. */
export const ALIVE_TIME = `${ALIVE} * ${MILLISECOND}`;

/**
 * The server and the grantId of the first in a lock's queue, with a space between; null when nobody waits.
 * @param ended the grantId of the lease that was ended: its holder waits no longer, though it may still stand there
 */
export const nextInLine = (waiters: string, lockName: string, ended: string) => `(
    SELECT waiter.server || ' ' || waiter.grant_id ${aliveWaiters(waiters, lockName)} AND waiter.grant_id <> ${ended}
    ORDER BY waiter.ticket
    LIMIT 1
  )`;

/** The requests of a batch, each an `item` with a name. In byte order, as in all statements: so no two batches deadlock. */
export const requestsOf = (items: string) => `
request AS MATERIALIZED (${items}
  ORDER BY item.lock_name COLLATE "C"
)`;

/**
 * Looks each requested name up by the primary key. OFFSET 0 keeps it one look a name: a plan that was made while the
 * table was empty could otherwise turn it into a scan.
 */
export const rowOf = (locks: string, lockName: string, columns: string, locking = '') => `(
    SELECT ${columns} FROM ${locks} AS lock WHERE lock.lock_name = ${lockName} OFFSET 0 ${locking}
  )`;

/** Locks the rows of the requested names, in the requests' order, and reads them as they are then, whatever the statement's snapshot says. */
export const lockedRows = (locks: string, requestColumns: string) => `
  SELECT lock.*, ${requestColumns}
  FROM request
  CROSS JOIN LATERAL ${rowOf(locks, 'request.lock_name', 'lock.*', 'FOR NO KEY UPDATE')} AS lock`;

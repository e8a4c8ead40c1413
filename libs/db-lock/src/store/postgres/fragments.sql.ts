import { NOBODYS_GRANT, SHARED_GRANT } from '../../lease/requests.js';
import { ALIVE, TURN } from '../wait-queue.js';

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

/** Whose a lock is that is shared. */
export const SHARED = `'${SHARED_GRANT}'::uuid`;

/**
 * From when on others may have the permits of a lease in shared mode: its end, and the tolerance after that unless it was released.
 * @param clockTolerance in milliseconds
 */
export const keptUntil = (holder: string, clockTolerance: number) =>
  clockTolerance === 0
    ? `${holder}.expire_time`
    : `(${holder}.expire_time + CASE WHEN ${holder}.release_time IS NULL THEN ${clockTolerance} ELSE 0 END * ${MILLISECOND})`;

/** What a lease in shared mode takes. */
export const shareColumns = (row: string) => `
    ${row}.permits::text AS permits,
    ${row}.permit_limit::text AS permit_limit`;

/** The leases that share a lock and whose time isn't over. */
export const sharersOf = (holders: string, lock: string) => `
      FROM ${holders} AS holder
      WHERE holder.lock_name = ${lock}.lock_name AND holder.expire_time > statement_timestamp()`;

/** What those take together who share a lock, as JSON; null for a lock that isn't shared, which costs nothing. */
export const sharingColumn = (lock: string, holders: string) => `
    CASE WHEN ${lock}.grant_id = ${SHARED} THEN (
      SELECT CASE WHEN count(*) > 0 THEN json_build_object(
        'holders', count(*),
        'permits', sum(holder.permits),
        'limits', coalesce(
          json_agg(DISTINCT holder.permit_limit ORDER BY holder.permit_limit)
            FILTER (WHERE holder.permit_limit IS NOT NULL),
          '[]'
        )
      )::text END ${sharersOf(holders, lock)}
    ) END AS sharing`;

/** The oldest of those who share a lock, as JSON; null for a lock that isn't shared. */
export const sharersColumn = (lock: string, holders: string, most: number) => `
    CASE WHEN ${lock}.grant_id = ${SHARED} THEN (
      SELECT json_agg(sharer ORDER BY sharer.token::bigint)::text
      FROM (
        SELECT${leaseColumns('holder')},${shareColumns('holder')} ${sharersOf(holders, lock)}
        ORDER BY holder.token
        LIMIT ${most}
      ) AS sharer
    ) END AS sharers`;

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

/**
 * Whether a lock was released and is kept for nobody.
 * @param aliveWaiters those who wait for it
 */
export const isReleased = (row: string, aliveWaiters: string) => `${row}.grant_id IS NULL
          AND (${row}.expire_time <= statement_timestamp() - ${TURN} * ${MILLISECOND}
            OR NOT EXISTS (SELECT ${aliveWaiters}))`;

/** What a release sets. */
export const FREED =
  'worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = statement_timestamp()';

/** How many wait for each lock that is waited for. */
export const waiterCounts = (waiters: string) => `
  SELECT waiter.lock_name, count(*)::int AS waiting
  FROM ${waiters} AS waiter
  WHERE waiter.alive_until > clock_timestamp()
  GROUP BY waiter.lock_name`;

/** A lock as operators see it. */
export const lookColumns = (row: string, { waiters, holders }: Record<'waiters' | 'holders', string>) => `
    ${stateOf(row)} AS state,
    (SELECT count(*) ${aliveWaiters(waiters, `${row}.lock_name`)})::int AS waiting,${sharingColumn(row, holders)},${leaseColumns(row)}`;

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

/**
 * Who has got a lock waits no longer: its place in the queue goes with the grant. One look into the index a grant: a
 * plan made while nobody waited would go through all who wait. By its key, not by where its row is: that changes with
 * each sign of life.
 */
export const leftQueue = (waiters: string, granted: string) => `
  DELETE FROM ${waiters} AS waiter
  USING (
    SELECT place.*
    FROM ${granted} AS granted
    CROSS JOIN LATERAL (
      SELECT waiter.lock_name, waiter.ticket, waiter.grant_id
      FROM ${waiters} AS waiter
      WHERE waiter.lock_name = granted.lock_name AND waiter.grant_id = granted.grant_id
      OFFSET 0
    ) AS place
    OFFSET 0
  ) AS place
  WHERE waiter.lock_name = place.lock_name AND waiter.ticket = place.ticket AND waiter.grant_id = place.grant_id`;

/** $1 names, $2 grant ids, of requests that have all else in common. `place` is where one stands in the batch, from 1 on. */
export const LIKE_REQUESTS = requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name, item.grant_id, item.place
  FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS item (lock_name, grant_id, place)`);

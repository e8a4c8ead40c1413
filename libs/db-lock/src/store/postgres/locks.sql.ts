import type { TableNames } from '../table-names.js';
import { quoteTable } from './tables.sql.js';
import {
  aliveWaiters as aliveWaitersIn,
  freeTime as freeTimeOf,
  isIdle,
  isReleased,
  leaseColumns,
  leftQueue,
  LIKE_REQUESTS,
  lockedRows as lockedRowsIn,
  MILLISECOND,
  requestsOf,
  rowOf as rowOfIn,
  timeColumn,
  tokenAt,
} from './fragments.sql.js';
import { TURN } from '../wait-queue.js';

export type LockStatements = ReturnType<typeof lockStatements>;

/**
 * PostgreSQL 14 and later. What all statements keep to:
 * - one statement, autocommit, READ COMMITTED;
 * - names in byte order, so that two batches lock rows in the same order and never deadlock;
 * - `clock_timestamp()`, read after the row is locked: `now()` is the transaction's start, and a lease granted by it may
 *   lie in the past.
 * @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end
 */
export function lockStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const waiters = quoteTable(tables.waiter);

  const rowOf = (lockName: string, columns: string) => rowOfIn(locks, lockName, columns);

  const lockedRows = (requestColumns: string) => lockedRowsIn(locks, requestColumns);

  const aliveWaiters = (lockName: string) => aliveWaitersIn(waiters, lockName);

  const freeTime = (row: string, grantId?: string) => freeTimeOf(row, clockTolerance, grantId);

  /** $1 names, $2 worker names, $3 grant ids, $4 TTLs in ms, $5 metadata as JSON; with a queue, $6 tickets or nulls. */
  const acquireRequests = (queued: boolean) =>
    requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.worker_name,
    item.grant_id::uuid AS grant_id,
    item.ttl * ${MILLISECOND} AS ttl,
    item.metadata::jsonb AS metadata,
    item.place${
      queued
        ? `,
    coalesce(item.ticket, 9223372036854775807) AS ticket
  FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::bigint[])
    WITH ORDINALITY AS item (lock_name, worker_name, grant_id, ttl, metadata, ticket, place)`
        : `
  FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[])
    WITH ORDINALITY AS item (lock_name, worker_name, grant_id, ttl, metadata, place)`
    }`);

  /**
   * The locks as a plain read sees them, which costs no write, no WAL and no row lock. `free` is what is worth deciding
   * under its row lock. One that came free a moment ago is not: it is kept for who has waited longer than the one who
   * asks now.
   */
  const lookedAt = (queued: boolean) => `
looked AS MATERIALIZED (
  SELECT
    request.*,
    holder.worker_name AS holder_name, holder.grant_id AS holder_grant_id, holder.token,
    holder.lock_time, holder.expire_time, holder.metadata AS holder_metadata,
    first.worker_name AS first_name, first.grant_id AS first_grant_id,
    first.grant_id IS NULL
      AND (holder.grant_id IS NULL
        OR holder.grant_id = request.grant_id
        OR ${freeTime('holder')} <= statement_timestamp()) AS free
  FROM request
  LEFT JOIN LATERAL ${rowOf(
    'request.lock_name',
    `lock.*,
      (lock.grant_id IS NULL OR ${freeTime('lock')} <= statement_timestamp())
        AND ${freeTime('lock')} > statement_timestamp() - ${TURN} * ${MILLISECOND} AS freed`,
  )} AS holder ON true
  LEFT JOIN LATERAL (
    SELECT first.worker_name, first.grant_id
    FROM (
      SELECT waiter.worker_name, waiter.grant_id, waiter.ticket ${aliveWaiters('request.lock_name')} AND holder.freed
      ORDER BY waiter.ticket
      LIMIT 1
    ) AS first
    WHERE first.grant_id <> request.grant_id${queued ? ' AND first.ticket < request.ticket' : ''}
  ) AS first ON true
)`;

  const takeColumns = 'lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata';

  /** Whether the plain read saw a live lease of the same grant. */
  const isOwn = (looked: string) =>
    `${looked}.holder_grant_id = ${looked}.grant_id AND ${looked}.expire_time > statement_timestamp()`;

  /** The leases of which there are repeats. */
  const ownLeases = `
own AS MATERIALIZED (SELECT looked.lock_name, looked.token FROM looked WHERE ${isOwn('looked')})`;

  /**
   * What looks free, with the clock read anew for each row: a batch may have waited for the row before. A repeat carries
   * the token of the lease that it repeats.
   */
  const takenLocks = (condition: string) => `
  SELECT
    taken.lock_name, taken.worker_name, taken.grant_id,
    CASE WHEN ${isOwn('taken')} THEN taken.token ELSE ${tokenAt('taken.now')} END,
    taken.now, taken.now + taken.ttl, taken.metadata
  FROM (SELECT looked.*, clock_timestamp() AS now FROM looked WHERE ${condition} OFFSET 0) AS taken`;

  /**
   * A repeat of a live lease that the plain read saw: of one that came up since then, nobody could tell whether its
   * grant was told to another caller, so that one asks again. By the clock before the row lock: the same for every
   * column, and then the lease was live.
   */
  const repeats = `lock.grant_id = EXCLUDED.grant_id AND lock.token = EXCLUDED.token
      AND lock.expire_time > EXCLUDED.lock_time`;

  /** In seconds: a difference in days would add days of the session's time zone, of which some have 23 hours. */
  const ttlOf = (row: string) =>
    `date_part('epoch', ${row}.expire_time - ${row}.lock_time) * interval '1 second'`;

  /**
   * Takes the lock once ON CONFLICT has locked its row, with the clock read then; a live lease of the same grant is
   * written as it was, so that a repeat waits until the first grant is durable, and leaves its mark in `version`.
   * @param worker the new worker's name, of a lock that is free then
   */
  const takeUnderLock = (worker: string) => `
  ON CONFLICT (lock_name) DO UPDATE
  SET
    worker_name = CASE WHEN ${repeats} THEN lock.worker_name ELSE ${worker} END,
    grant_id = EXCLUDED.grant_id,
    metadata = CASE WHEN ${repeats} THEN lock.metadata ELSE EXCLUDED.metadata END,
    (token, lock_time, expire_time) = (
      SELECT
        CASE WHEN ${repeats} THEN lock.token ELSE greatest(lock.token + 1, ${tokenAt('clock.now')}) END,
        CASE WHEN ${repeats} THEN lock.lock_time ELSE clock.now END,
        CASE WHEN ${repeats} THEN lock.expire_time ELSE clock.now + ${ttlOf('EXCLUDED')} END
      FROM (SELECT clock_timestamp() AS now) AS clock
    )`;

  /** Whether all of a set look free. */
  const allFree = 'NOT EXISTS (SELECT FROM looked WHERE NOT free)';

  /** Whether nobody else has a lock whose row is locked. A holder's own lease keeps itself out no longer than it is live. */
  const isFree = `lock.grant_id IS NULL OR ${freeTime('lock')} <= clock_timestamp()
    OR lock.grant_id = EXCLUDED.grant_id AND lock.expire_time <= clock_timestamp()`;

  /** The row as it was written; `version` is another one after each later write: a repeat's or a renewal's, for instance. */
  const written = `
  RETURNING lock.*, lock.xmin::text AS version`;

  /** The locks that were granted. What their requests say themselves is told of repeats only. */
  const grantedRows = `
SELECT
  'decided' AS seen,
  granted.version,
  granted.repeated,
  granted.lock_name,
  CASE WHEN granted.repeated THEN granted.worker_name END AS worker_name,
  NULL AS grant_id,
  granted.token::text AS token,
  ${timeColumn('granted.lock_time')} AS lock_time,
  ${timeColumn('granted.expire_time')} AS expire_time,
  ${timeColumn('clock_timestamp()')} AS server_time,
  CASE WHEN granted.repeated THEN granted.metadata::text END AS metadata
FROM (
  SELECT decided.*, EXISTS (
    SELECT FROM own WHERE own.lock_name = decided.lock_name AND own.token = decided.token
  ) AS repeated
  FROM decided
) AS granted`;

  /** Whose the locks were that somebody else has or had: the lease as it was seen, or the waiter for whom it is kept. */
  const otherRows = `
SELECT
  CASE WHEN looked.first_grant_id IS NULL THEN 'holder' ELSE 'kept' END AS seen,
  NULL AS version,
  false AS repeated,
  looked.lock_name,
  coalesce(looked.first_name, looked.holder_name) AS worker_name,
  coalesce(looked.first_grant_id, looked.holder_grant_id)::text AS grant_id,
  looked.token::text AS token,
  CASE WHEN looked.first_grant_id IS NULL
    THEN ${timeColumn('looked.lock_time')}
    ELSE ${timeColumn(freeTime('looked', 'looked.holder_grant_id'))}
  END AS lock_time,
  CASE WHEN looked.first_grant_id IS NULL
    THEN ${timeColumn('looked.expire_time')}
    ELSE ${timeColumn(`${freeTime('looked', 'looked.holder_grant_id')} + ${TURN} * ${MILLISECOND}`)}
  END AS expire_time,
  ${timeColumn('clock_timestamp()')} AS server_time,
  CASE WHEN looked.first_grant_id IS NULL THEN looked.holder_metadata::text END AS metadata
FROM looked
WHERE (looked.holder_grant_id <> looked.grant_id OR looked.first_grant_id IS NOT NULL)`;

  /**
   * Grants locks, and tells whose the others are.
   * @param queued whether there are tickets: who gets a lock leaves its queue
   * @param condition which of the locks to decide under their row locks
   * @param onConflict what is done then
   * @param told which of the others are told of
   */
  const grant = ({
    queued,
    condition,
    onConflict,
    told = '',
  }: Record<'condition' | 'onConflict', string> & { queued: boolean; told?: string }) => `
WITH ${acquireRequests(queued)},
${lookedAt(queued)},
${ownLeases},
decided AS (
  INSERT INTO ${locks} AS lock (${takeColumns})
  ${takenLocks(condition)}
  ${onConflict}
  ${written}
)${
    queued
      ? `,
gone AS (${leftQueue(waiters, 'decided')}
)`
      : ''
  }
${grantedRows}
UNION ALL
${otherRows}${told}`;

  const acquire = (queued: boolean) =>
    grant({
      queued,
      condition: 'looked.free',
      onConflict: `${takeUnderLock('EXCLUDED.worker_name')}
  WHERE (${repeats}) OR ${isFree}`,
    });

  /**
   * Takes the locks that were released and are kept for nobody, with the clock read once each row is locked. All others
   * cost a plain read. TID for the update: nothing is looked up twice, and a row that somebody has changed since the
   * statement's start is passed over.
   *
   * One row tells of all that were taken, as lists: their places in the batch, their tokens, and the times at which they were taken,
   * in microseconds, unless all are the same as the tokens: a token may run ahead of the clock. `version` is one for all: that of the
   * statement's transaction.
   */
  const acquireReleased = (requests: string, asked: Record<'workerName' | 'ttl' | 'metadata', string>) => `
WITH ${requests},
taken AS (
  UPDATE ${locks} AS lock
  SET worker_name = ${asked.workerName},
      grant_id = released.grant_id,
      token = greatest(lock.token + 1, ${tokenAt('released.now')}),
      lock_time = released.now,
      expire_time = released.now + ${asked.ttl},
      metadata = ${asked.metadata}
  FROM (
    SELECT locked.*, clock_timestamp() AS now
    FROM (
      SELECT request.*, lock.row
      FROM request
      CROSS JOIN LATERAL (
        SELECT lock.ctid AS row
        FROM ${locks} AS lock
        WHERE lock.lock_name = request.lock_name
          AND ${isReleased('lock', aliveWaiters('lock.lock_name'))}
        OFFSET 0
        FOR NO KEY UPDATE
      ) AS lock
      OFFSET 0
    ) AS locked
    OFFSET 0
  ) AS released
  WHERE lock.ctid = released.row
  RETURNING released.place, lock.token, ${tokenAt('released.now')} AS time, lock.xmin AS version
)
SELECT
  string_agg(place::text, ',') AS places,
  string_agg(token::text, ',') AS tokens,
  CASE WHEN bool_or(time <> token) THEN string_agg(time::text, ',') END AS times,
  (SELECT version::text FROM taken LIMIT 1) AS version
FROM taken`;

  /**
   * Renews leases that are live once their rows are locked. Never shortens one: a renewal that was given up for lost and runs late must
   * not cut off what a later one has promised.
   */
  const renewed = (
    requests: string,
    { requestColumns = '', ttl }: { requestColumns?: string; ttl: string },
  ) => `
WITH ${requests},
locked AS MATERIALIZED (${lockedRows(
    `request.grant_id AS wanted_grant_id, request.token AS wanted_token, request.place AS wanted_place${requestColumns}`,
  )}
),
renewed AS (
  UPDATE ${locks} AS lock
  SET expire_time = greatest(locked.expire_time, clock_timestamp() + ${ttl})
  FROM locked
  WHERE lock.lock_name = locked.lock_name
    AND locked.grant_id = locked.wanted_grant_id
    AND (locked.wanted_token IS NULL OR locked.token = locked.wanted_token)
    AND locked.expire_time > clock_timestamp()
  RETURNING lock.*, locked.wanted_place
)`;

  return {
    /**
     * Names are unique in one batch. A live lease of another grant is seen by the plain read first. What looks free is
     * decided again under the row lock; who loses there writes nothing and gets no row, or only that of an expired
     * lease: it has to ask again.
     * A row with `decided` has been decided under its lock; `kept` is for somebody in the queue; others are the holder
     * as the plain read saw it: also one whose expired lease a grant came after.
     */
    acquire: { name: 'db_lock_acquire', text: acquire(false) },

    /**
     * A shortcut of `acquire`: what does not come back is to be asked of that one. $1 names, $2 grant ids, $3 the worker name, $4 the TTL
     * in ms and $5 the metadata as JSON of all.
     */
    acquireReleased: {
      name: 'db_lock_acquire_released',
      text: acquireReleased(LIKE_REQUESTS, {
        workerName: '$3::text',
        ttl: `$4::float8 * ${MILLISECOND}`,
        metadata: '$5::jsonb',
      }),
    },

    /** The same for requests that may differ in all, with the parameters of `acquire`. */
    acquireReleasedMixed: {
      name: 'db_lock_acquire_released_mixed',
      text: acquireReleased(acquireRequests(false), {
        workerName: 'released.worker_name',
        ttl: 'released.ttl',
        metadata: 'released.metadata',
      }),
    },

    /** The same for requests of which some wait in a queue: $6 tickets, or nulls. Who gets the lock leaves the queue. */
    acquireQueued: { name: 'db_lock_acquire_queued', text: acquire(true) },

    /**
     * All or none: nothing is written while one of the locks is held or kept, and whoever finds under a row lock that
     * somebody else has taken it meanwhile fails on purpose (22012, division by zero), which undoes the whole statement.
     * Rows are locked in byte order, as everywhere, so no two sets deadlock.
     */
    acquireSet: {
      name: 'db_lock_acquire_set',
      text: grant({
        queued: true,
        condition: allFree,
        onConflict: takeUnderLock(
          `CASE WHEN ${isFree} THEN EXCLUDED.worker_name ELSE (1 / (lock.token - lock.token))::text END`,
        ),
        told: `
  AND (NOT looked.free OR ${allFree})`,
      }),
    },

    /**
     * $1 names, $2 grant ids, $3 tokens or nulls, $4 TTLs in ms. A row that does not come back is lost; where none does, one without a
     * name tells the clock.
     */
    renew: {
      name: 'db_lock_renew',
      text: `${renewed(
        requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name, item.grant_id, item.token,
    item.ttl * ${MILLISECOND} AS ttl, item.place
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::float8[])
    WITH ORDINALITY AS item (lock_name, grant_id, token, ttl, place)`),
        { requestColumns: ', request.ttl AS wanted_ttl', ttl: 'locked.wanted_ttl' },
      )}
SELECT${leaseColumns('renewed')}
FROM (SELECT) AS answer
LEFT JOIN renewed ON true`,
    },

    /**
     * The same for leases that who asks knows, $1 names, $2 grant ids, $3 tokens, with $4 the TTL in ms of all. One row tells of all
     * that were renewed, as lists: their places in the batch, the new ends in microseconds, and the metadata of those that have any, as
     * JSON by place.
     */
    renewHeld: {
      name: 'db_lock_renew_held',
      text: `${renewed(
        requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name, item.grant_id, item.token, item.place
  FROM unnest($1::text[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS item (lock_name, grant_id, token, place)`),
        { ttl: `$4::float8 * ${MILLISECOND}` },
      )}
SELECT
  string_agg(wanted_place::text, ',') AS places,
  string_agg(${timeColumn('expire_time')}, ',') AS expire_times,
  (json_object_agg(wanted_place, metadata) FILTER (WHERE metadata IS NOT NULL))::text AS metadata,
  ${timeColumn('clock_timestamp()')} AS server_time
FROM renewed`,
    },

    /** How many pages the table has, for going through it in chunks without an index on time. */
    pages: {
      name: 'db_lock_pages',
      text: `
SELECT (pg_relation_size('${locks.replaceAll("'", "''")}') / current_setting('block_size')::bigint)::text AS pages`,
    },

    /** $1 first page, $2 page after the last, $3 retention in ms. */
    removeIdle: {
      name: 'db_lock_remove_idle',
      text: `
DELETE FROM ${locks}
WHERE ctid = ANY (ARRAY(
  SELECT lock.ctid FROM ${locks} AS lock
  WHERE lock.ctid >= format('(%s,0)', $1::bigint)::tid AND lock.ctid < format('(%s,0)', $2::bigint)::tid
    AND ${isIdle('lock', '$3::float8')}
  FOR UPDATE SKIP LOCKED
))
RETURNING 1 AS removed`,
    },

    clock: {
      name: 'db_lock_clock',
      text: `SELECT ${timeColumn('clock_timestamp()')} AS server_time`,
    },

    ping: { name: 'db_lock_ping', text: 'SELECT 1 AS pong' },
  } as const;
}

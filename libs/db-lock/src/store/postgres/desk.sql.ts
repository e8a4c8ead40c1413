import type { TableNames } from '../table-names.js';
import { quoteTable } from './tables.sql.js';
import type { SortField } from '../lock-desk.js';
import { MAX_HOLDERS_SHOWN, MAX_QUEUE_SHOWN } from '../lock-store.js';
import {
  aliveWaiters,
  freeTime,
  isIdle,
  keptUntil,
  leaseColumns,
  lockedRows,
  lookColumns,
  MILLISECOND,
  nextInLine,
  requestsOf,
  SHARED,
  shareColumns,
  sharersColumn,
  sharersOf,
  sharingColumn,
  stateOf,
  tokenAt,
  waiterCounts,
  type Statement,
} from './fragments.sql.js';
import { settledLocks, settledRow } from './shared.sql.js';

const SORT_COLUMNS: Record<SortField, string> = {
  lockName: 'lock.lock_name',
  // Of a lock that was released, it may still be written whose it was.
  workerName: `CASE WHEN ${stateOf('lock')} <> 'released' THEN lock.worker_name END`,
  lockTime: 'lock.lock_time',
  expireTime: 'lock.expire_time',
  fencingToken: 'lock.token',
  waiting: 'waiting',
};

const isLive = (row: string) => `${row}.grant_id IS NOT NULL AND ${row}.expire_time > clock_timestamp()`;

/** A time as JSON says it. */
const isoTime = (time: string) => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * The statements of those who look at locks, and act on them, from outside. What they do is recorded in the same transaction.
 * @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end
 */
export function deskStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);
  const waiters = quoteTable(tables.waiter);
  const holders = quoteTable(tables.holder);

  /** Whether a lock keeps others out: by a live lease, or by one that has just run out. */
  const isTaken = (row: string) =>
    `${row}.grant_id IS NOT NULL AND ${freeTime(row, clockTolerance)} > clock_timestamp()`;

  const settled = (stays?: string) => settledLocks({ holders, waiters }, clockTolerance, stays);

  /**
   * @param event an expression
   * @param rows has the lock as it was, and `actor` and `reason`
   */
  const record = (event: string, rows: string, details = 'NULL::jsonb') => `
  INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, actor, reason, details, event_time)
  SELECT lock_name, ${event}, worker_name, grant_id, token, actor, reason, ${details}, clock_timestamp()
  FROM ${rows}`;

  /** $1 names, $2 actors, $3 reasons, $4 tokens or nulls. */
  const forcedRequests = requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name, item.actor, item.reason, item.expected
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS item (lock_name, actor, reason, expected)`);

  /**
   * $1 name, $2 the token of the lease, $3 TTL from now in ms or null, $4 whether the metadata change, $5 metadata as JSON or null,
   * $6 actor, $7 reason or null.
   */
  const editRequest = `
request AS MATERIALIZED (
  SELECT
    $1::text COLLATE "C" AS lock_name, $2::bigint AS expected, $3::float8 * ${MILLISECOND} AS ttl,
    $4::boolean AS changes, $5::jsonb AS new_metadata, $6::text AS actor, $7::text AS reason
)`;

  const editColumns =
    'request.expected, request.ttl, request.changes, request.new_metadata, request.actor, request.reason';

  const newMetadata = 'CASE WHEN live.changes THEN live.new_metadata ELSE live.metadata END';

  /** From what to what `live` was edited. */
  const recordedEdit = `
recorded AS (${record(
    `'edited'`,
    'live',
    `jsonb_strip_nulls(jsonb_build_object(
      'expireTime', CASE WHEN live.ttl IS NOT NULL THEN
        jsonb_build_object('from', ${isoTime('live.expire_time')}, 'to', ${isoTime('live.new_expire_time')}) END
    )) || CASE WHEN live.changes AND live.new_metadata IS DISTINCT FROM live.metadata THEN
      jsonb_build_object('metadata', jsonb_build_object('from', live.metadata, 'to', live.new_metadata))
    ELSE '{}' END`,
  )}
)`;

  /** $1 search pattern, $2 state, $3 prefix, or nulls. */
  const matching = `
  ($1::text IS NULL
    OR lock.lock_name COLLATE "default" ILIKE $1
    OR lock.worker_name COLLATE "default" ILIKE $1
    OR (lock.grant_id = ${SHARED} AND EXISTS (
      SELECT ${sharersOf(holders, 'lock')} AND holder.worker_name COLLATE "default" ILIKE $1)))
  AND ($2::text IS NULL
    OR ${stateOf('lock')} = $2
    OR ($2 = 'contended' AND queue.waiting > 0))
  AND ($3::text IS NULL OR starts_with(lock.lock_name, $3))`;

  /** The locks with how many wait for each. */
  const contendedLocks = `
FROM ${locks} AS lock
LEFT JOIN (${waiterCounts(waiters)}
) AS queue ON queue.lock_name = lock.lock_name`;

  const waiting = 'coalesce(queue.waiting, 0) AS waiting';

  return {
    /** $1 names. */
    inspect: {
      name: 'db_lock_inspect',
      text: `
SELECT
    (
      SELECT json_agg(
        json_build_object(
          'workerName', first.worker_name, 'since', first.ticket / 1000,
          'permits', first.permits, 'permit_limit', first.permit_limit
        )
        ORDER BY first.ticket
      )
      FROM (
        SELECT waiter.* ${aliveWaiters(waiters, 'lock.lock_name')}
        ORDER BY waiter.ticket
        LIMIT ${MAX_QUEUE_SHOWN}
      ) AS first
    )::text AS queue,${sharersColumn('lock', holders, MAX_HOLDERS_SHOWN)},${lookColumns('lock', { waiters, holders })}
FROM unnest($1::text[]) AS item (lock_name)
JOIN ${locks} AS lock ON lock.lock_name = item.lock_name COLLATE "C"`,
    },

    /** $1 to $3 the filter, $4 limit, $5 offset. */
    list: ({ sort, order }: { sort: SortField; order: 'asc' | 'desc' }): Statement => ({
      name: `db_lock_list_${sort}_${order}`,
      text: `
SELECT
    ${stateOf('lock')} AS state,
    ${waiting},${sharingColumn('lock', holders)},${leaseColumns('lock')}${contendedLocks}
WHERE ${matching}
ORDER BY ${SORT_COLUMNS[sort]} ${order} NULLS LAST${sort === 'lockName' ? '' : ', lock.lock_name'}
LIMIT $4 OFFSET $5`,
    }),

    /** $1 to $3 the filter, $4 the name to begin after, or '', $5 limit. By name. */
    listAfter: {
      name: 'db_lock_list_after',
      text: `
SELECT
    ${stateOf('lock')} AS state,
    ${waiting},${sharingColumn('lock', holders)},${leaseColumns('lock')}${contendedLocks}
WHERE ${matching} AND lock.lock_name > $4::text COLLATE "C"
ORDER BY lock.lock_name
LIMIT $5`,
    },

    /** $1 to $3 the filter. */
    count: {
      name: 'db_lock_list_count',
      text: `
SELECT count(*)::text AS total${contendedLocks}
WHERE ${matching}`,
    },

    /** $1 to $3 the filter, $4 limit. Names by what they have in common up to the next ':' after the prefix. */
    groups: {
      name: 'db_lock_groups',
      text: `
SELECT
  left(lock.lock_name, length(below.prefix) + below.colon) AS prefix,
  count(*)::int AS total,
  count(*) FILTER (WHERE ${stateOf('lock')} = 'held')::int AS held,
  count(*) FILTER (WHERE ${stateOf('lock')} = 'expired')::int AS expired,
  count(*) FILTER (WHERE ${stateOf('lock')} = 'released')::int AS released,
  coalesce(sum(queue.waiting), 0)::int AS waiting${contendedLocks}
CROSS JOIN LATERAL (
  SELECT named.prefix, strpos(substr(lock.lock_name, length(named.prefix) + 1), ':') AS colon
  FROM (SELECT coalesce($3::text, '') AS prefix) AS named
) AS below
WHERE ${matching} AND below.colon > 0
GROUP BY 1
ORDER BY 1
LIMIT $4`,
    },

    /** One row a state; how many wait, and for how many locks, is said in each. */
    counts: {
      name: 'db_lock_counts',
      text: `
SELECT
  ${stateOf('lock')} AS state, count(*)::text AS total,
  count(queue.waiting)::text AS contended, coalesce(sum(queue.waiting), 0)::text AS waiting${contendedLocks}
GROUP BY 1`,
    },

    /**
     * $1 names, $2 actors, $3 reasons, $4 tokens or nulls: then only that lease. A row that does not come back was free, or shared; one
     * that is not `forced` is held by another lease. The token grows, so that a resource which has seen it refuses the old holder.
     */
    forceRelease: {
      name: 'db_lock_force_release',
      text: `
WITH ${forcedRequests},
locked AS MATERIALIZED (${lockedRows(locks, 'request.actor, request.reason, request.expected')}
),
live AS MATERIALIZED (
  SELECT locked.*, locked.expected IS NULL OR locked.expected = locked.token AS meant
  FROM locked
  WHERE ${isTaken('locked')} AND locked.grant_id <> ${SHARED}
),
freed AS (
  UPDATE ${locks} AS lock
  SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = clock_timestamp(),
      token = greatest(lock.token + 1, ${tokenAt('clock_timestamp()')})
  FROM live
  WHERE lock.lock_name = live.lock_name AND live.meant
),
recorded AS (${record(`'forced'`, 'live WHERE live.meant')}
)
SELECT live.meant AS forced, ${nextInLine(waiters, 'live.lock_name', 'live.grant_id')} AS next,${leaseColumns('live')}
FROM live`,
    },

    /**
     * The same of locks that are shared, whose rows this transaction has locked before: of all leases, or of that with the token. A row for
     * each, the newest first; one without a grantId for a lock of which no lease was meant. The token of the lock grows when none is left.
     */
    forceReleaseShared: {
      name: 'db_lock_force_release_shared',
      text: `
WITH ${forcedRequests},
taken AS MATERIALIZED (
  SELECT locked.*, clock_timestamp() AS now
  FROM (${lockedRows(locks, 'request.actor, request.reason, request.expected')}
  ) AS locked
  WHERE locked.grant_id = ${SHARED} AND ${isTaken('locked')}
),
ended AS MATERIALIZED (
  SELECT holder.*, taken.now, taken.actor, taken.reason
  FROM taken
  JOIN ${holders} AS holder
    ON holder.lock_name = taken.lock_name AND ${keptUntil('holder', clockTolerance)} > taken.now
    AND (taken.expected IS NULL OR holder.token = taken.expected)
),
removed AS (
  DELETE FROM ${holders} AS holder
  USING ended
  WHERE holder.lock_name = ended.lock_name AND holder.grant_id = ended.grant_id
),
changed AS MATERIALIZED (
  SELECT ended.lock_name, ended.now, 1 AS place, array_agg(ended.grant_id) AS grant_ids
  FROM ended
  GROUP BY ended.lock_name, ended.now
),${settled()},
turned AS (
  UPDATE ${locks} AS lock${settledRow(`greatest(lock.token + 1, ${tokenAt('settled.now')})`)}
),
recorded AS (${record(
        `'forced'`,
        '(SELECT * FROM ended ORDER BY ended.token DESC) AS ended',
        `jsonb_strip_nulls(jsonb_build_object('mode', 'shared', 'permits', permits, 'limit', permit_limit))`,
      )}
)
SELECT taken.lock_name AS asked_name, settled.next,${leaseColumns('ended')},${shareColumns('ended')}
FROM taken
LEFT JOIN ended USING (lock_name)
LEFT JOIN settled USING (lock_name)
ORDER BY ended.token DESC`,
    },

    /**
     * $1 name, $2 worker name, $3 grant id, $4 TTL in ms, $5 metadata as JSON or null, $6 actor, $7 reason or null. Takes the lock
     * by hand, past all who wait. No row: somebody has it. An expired lease that it comes after is recorded first.
     */
    hold: {
      name: 'db_lock_hold',
      text: `
WITH expired AS MATERIALIZED (
  SELECT lock.* FROM ${locks} AS lock WHERE lock.lock_name = $1::text COLLATE "C" AND ${stateOf('lock')} = 'expired'
),
held AS (
  INSERT INTO ${locks} AS lock (lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata)
  SELECT
    $1::text COLLATE "C", $2::text, $3::uuid, ${tokenAt('clock.now')},
    clock.now, clock.now + $4::float8 * ${MILLISECOND}, $5::jsonb
  FROM (SELECT clock_timestamp() AS now) AS clock
  ON CONFLICT (lock_name) DO UPDATE
  SET worker_name = EXCLUDED.worker_name, grant_id = EXCLUDED.grant_id, metadata = EXCLUDED.metadata,
      (token, lock_time, expire_time) = (
        SELECT greatest(lock.token + 1, ${tokenAt('clock.now')}), clock.now, clock.now + $4::float8 * ${MILLISECOND}
        FROM (SELECT clock_timestamp() AS now) AS clock
      )
  WHERE NOT (${isTaken('lock')})
  RETURNING lock.*, $6::text AS actor, $7::text AS reason
),
recorded AS (${record(
        'happened.event',
        `(
    SELECT 1 AS place, 'expired' AS event, expired.lock_name, expired.worker_name, NULL AS grant_id, expired.token, NULL AS actor, NULL AS reason
    FROM expired
    JOIN held USING (lock_name)
    UNION ALL
    SELECT 2, 'created', held.lock_name, held.worker_name, held.grant_id, held.token, held.actor, held.reason
    FROM held
    ORDER BY place
  ) AS happened`,
      )}
)
SELECT
    expired.worker_name AS expired_worker_name,
    expired.token::text AS expired_token,${leaseColumns('held')}
FROM held
LEFT JOIN expired USING (lock_name)`,
    },

    /** Of an exclusive lease. No row: that lease is over. */
    edit: {
      name: 'db_lock_edit',
      text: `
WITH ${editRequest},
locked AS MATERIALIZED (${lockedRows(locks, editColumns)}
),
live AS MATERIALIZED (
  SELECT locked.*, coalesce(clock_timestamp() + locked.ttl, locked.expire_time) AS new_expire_time
  FROM locked
  WHERE ${isLive('locked')} AND locked.token = locked.expected AND locked.grant_id <> ${SHARED}
),
edited AS (
  UPDATE ${locks} AS lock
  SET expire_time = live.new_expire_time,
      metadata = ${newMetadata}
  FROM live
  WHERE lock.lock_name = live.lock_name
  RETURNING lock.*
),${recordedEdit}
SELECT ${nextInLine(waiters, 'edited.lock_name', 'edited.grant_id')} AS next,${leaseColumns('edited')}
FROM edited`,
    },

    /** Of one who shares a lock whose row this transaction has locked before. */
    editShared: {
      name: 'db_lock_edit_shared',
      text: `
WITH ${editRequest},
locked AS MATERIALIZED (
  SELECT locked.*, clock_timestamp() AS now
  FROM (${lockedRows(locks, editColumns)}
  ) AS locked
  WHERE locked.grant_id = ${SHARED}
),
live AS MATERIALIZED (
  SELECT
    holder.*, locked.now, locked.ttl, locked.changes, locked.new_metadata, locked.actor, locked.reason,
    coalesce(locked.now + locked.ttl, holder.expire_time) AS new_expire_time
  FROM locked
  JOIN ${holders} AS holder
    ON holder.lock_name = locked.lock_name AND holder.token = locked.expected
    AND holder.release_time IS NULL AND holder.expire_time > locked.now
),
edited AS (
  UPDATE ${holders} AS holder
  SET expire_time = live.new_expire_time,
      metadata = ${newMetadata}
  FROM live
  WHERE holder.lock_name = live.lock_name AND holder.grant_id = live.grant_id
  RETURNING holder.*
),
changed AS MATERIALIZED (
  SELECT live.lock_name, live.now, 1 AS place, ARRAY[live.grant_id] AS grant_ids FROM live
),${settled(`
    SELECT
      live.lock_name, live.token, live.worker_name, live.lock_time, live.new_expire_time AS expire_time,
      ${newMetadata} AS metadata
    FROM live`)},
turned AS (
  UPDATE ${locks} AS lock${settledRow()}
),${recordedEdit}
SELECT
    ${nextInLine(waiters, 'edited.lock_name', 'edited.grant_id')} AS next,${leaseColumns('edited')},${shareColumns('edited')}
FROM edited`,
    },

    /** $1 names, $2 actor, $3 for how many ms nobody may have used them. A lock that is not free, or that somebody waits for, stays. */
    deleteReleased: {
      name: 'db_lock_delete_released',
      text: `
WITH request AS MATERIALIZED (
  SELECT DISTINCT item.lock_name COLLATE "C" AS lock_name
  FROM unnest($1::text[]) AS item (lock_name)
  ORDER BY 1
),
locked AS MATERIALIZED (${lockedRows(locks, '$2::text AS actor, NULL::text AS reason')}
),
deleted AS (
  DELETE FROM ${locks} AS lock
  USING locked
  WHERE lock.lock_name = locked.lock_name
    AND ${stateOf('locked')} = 'released'
    AND ${isIdle('locked', '$3::float8')}
    AND NOT EXISTS (SELECT ${aliveWaiters(waiters, 'locked.lock_name')})
  RETURNING locked.*
),
recorded AS (${record(`'deleted'`, 'deleted')}
)
SELECT deleted.lock_name FROM deleted`,
    },

    /**
     * $1 first page, $2 page after the last, $3 the operator who does it, or null: then it is not recorded. Never waits for a
     * row that somebody works on.
     */
    clearExpired: {
      name: 'db_lock_clear_expired',
      text: `
WITH expired AS MATERIALIZED (
  SELECT lock.ctid AS place, lock.*, $3::text AS actor, NULL::text AS reason
  FROM ${locks} AS lock
  WHERE lock.ctid >= format('(%s,0)', $1::bigint)::tid AND lock.ctid < format('(%s,0)', $2::bigint)::tid
    AND ${stateOf('lock')} = 'expired' AND NOT (${isTaken('lock')})
  FOR NO KEY UPDATE SKIP LOCKED
),
cleared AS (
  UPDATE ${locks} AS lock
  SET worker_name = NULL, grant_id = NULL, metadata = NULL
  FROM expired
  WHERE lock.ctid = expired.place
  RETURNING expired.*
),
recorded AS (${record(`'cleared'`, 'cleared WHERE cleared.actor IS NOT NULL')}
)
SELECT 1 AS cleared FROM cleared`,
    },
  } as const satisfies Record<string, Statement | ((query: never) => Statement)>;
}

export type DeskStatements = ReturnType<typeof deskStatements>;

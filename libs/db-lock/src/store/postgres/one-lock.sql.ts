import type { TableNames } from '../table-names.js';
import { TURN } from '../wait-queue.js';
import {
  aliveWaiters as aliveWaitersIn,
  freeTime as freeTimeOf,
  keptUntil as keptUntilOf,
  MILLISECOND,
  SHARED,
  timeColumn,
  tokenAt,
} from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

export type OneLockStatements = ReturnType<typeof oneLockStatements>;

/**
 * Grants and releases of leases in shared mode that are all about one lock, $1, as nearly all are that come together: plans of half the size
 * as those of `sharedStatements`, which keep to the same. What these leave undone is to be asked of those.
 */
export function oneLockStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const holders = quoteTable(tables.holder);
  const waiters = quoteTable(tables.waiter);

  const freeTime = (row: string) => freeTimeOf(row, clockTolerance);

  const keptUntil = keptUntilOf('holder', clockTolerance);

  const ofLock = `FROM ${holders} AS holder WHERE holder.lock_name = $1`;

  const aliveWaiters = aliveWaitersIn(waiters, '$1');

  /** The lock's row, locked, and as the statement's snapshot has it. */
  const lockedRow = (condition = '') => `
      SELECT lock.*, lock.xmin::text AS version
      FROM ${locks} AS lock
      WHERE lock.lock_name = $1::text COLLATE "C"${condition}
      OFFSET 0
      FOR NO KEY UPDATE`;

  /**
   * Decides by the statement's snapshot, and writes where the locked row is the one that it shows. The clock is read once that is locked.
   * @param before the lock's row as the snapshot has it, with its `version`: none where nobody is to be granted anything
   */
  const grant = ({ before, queued }: { before: string; queued: boolean }) => `
WITH before AS MATERIALIZED (${before}
),
seen AS MATERIALIZED (
  SELECT timed.*, CASE WHEN timed.is_vacant THEN 0 ELSE (
    SELECT coalesce(sum(holder.permits), 0) ${ofLock} AND ${keptUntil} > timed.now
  ) END AS taken
  FROM (
    SELECT
      locked.*,
      locked.grant_id IS DISTINCT FROM ${SHARED} OR ${freeTime('locked')} <= locked.now AS is_vacant,
      greatest(locked.token + 1, ${tokenAt('locked.now')}) - 1 AS last_token
    FROM (
      SELECT lock.*, greatest(clock_timestamp(), statement_timestamp()) AS now
      FROM (${lockedRow()}
      ) AS lock
      WHERE lock.version = (SELECT before.version FROM before)
      OFFSET 0
    ) AS locked
    OFFSET 0
  ) AS timed
),
request AS MATERIALIZED (
  SELECT
    item.*, seen.now, seen.is_vacant,
    seen.now + item.ttl * ${MILLISECOND} AS end_time,
    seen.last_token + item.place AS token
  FROM seen
  CROSS JOIN unnest(
      $2::uuid[], $3::text[], $4::float8[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[]${queued ? ', $9::bigint[]' : ''}
    ) WITH ORDINALITY
    AS item (grant_id, worker_name, ttl, metadata, permits, permit_limit, room${queued ? ', ticket' : ''}, place)
  WHERE (item.room IS NULL OR seen.taken <= item.room)${
    queued
      ? `
    AND NOT EXISTS (SELECT FROM before WHERE before.ticket < item.ticket)`
      : ''
  }
    AND NOT EXISTS (SELECT ${ofLock} AND holder.grant_id = item.grant_id)
),
turned AS (
  UPDATE ${locks} AS lock
  SET worker_name = newest.worker_name,
      grant_id = ${SHARED},
      token = newest.token,
      lock_time = newest.now,
      expire_time = CASE WHEN newest.is_vacant THEN newest.last_end ELSE greatest(lock.expire_time, newest.last_end) END,
      metadata = newest.metadata::jsonb
  FROM (
    SELECT request.*, max(request.end_time) OVER () AS last_end
    FROM request
    ORDER BY request.place DESC
    LIMIT 1
  ) AS newest
  WHERE lock.lock_name = $1
),
removed AS (
  DELETE FROM ${holders} AS holder
  USING seen
  WHERE holder.lock_name = $1 AND (seen.is_vacant OR ${keptUntil} <= seen.now) AND EXISTS (SELECT FROM request)
  RETURNING holder.worker_name, holder.token, seen.grant_id = ${SHARED} AND holder.release_time IS NULL AS has_expired
),
granted AS (
  INSERT INTO ${holders} AS holder
    (lock_name, grant_id, worker_name, token, permits, permit_limit, lock_time, expire_time, metadata)
  SELECT
    $1, request.grant_id, request.worker_name, request.token, request.permits, request.permit_limit, request.now, request.end_time,
    request.metadata::jsonb
  FROM request
  RETURNING holder.grant_id, holder.token, holder.lock_time, holder.xmin
)${
    queued
      ? `,
gone AS (
  DELETE FROM ${waiters} AS waiter
  USING request
  WHERE waiter.lock_name = $1 AND waiter.ticket = request.ticket AND waiter.grant_id = request.grant_id
)`
      : ''
  }
SELECT
  granted.grant_id::text, granted.token::text, ${timeColumn('granted.lock_time')} AS lock_time, granted.xmin::text AS version,
  NULL AS expired_name,
  ${
    queued
      ? `(
    SELECT before.server || ' ' || before.grant_id
    FROM before, seen
    WHERE before.permits IS NOT NULL
      AND (before.permit_limit IS NULL OR seen.taken + $10::bigint + before.permits <= before.permit_limit)
  )`
      : 'NULL'
  } AS next
FROM granted
UNION ALL
SELECT NULL, removed.token::text, NULL, NULL, removed.worker_name, NULL
FROM removed
WHERE removed.has_expired`;

  const before = (columns: string, rest: string) => `
  SELECT lock.xmin::text AS version${columns}
  FROM ${locks} AS lock${rest}`;

  const mayBeShared = `
  WHERE lock.lock_name = $1 AND (lock.grant_id IS NULL OR lock.grant_id = ${SHARED})`;

  return {
    /**
     * For those who only try, of a lock that nobody has exclusively and nobody waits for. $2 grant ids, each once, $3 worker names, $4 TTLs
     * in ms, $5 metadata as JSON, $6 permits, $7 limits or nulls, $8 how many permits may be taken already, so that it and all before it
     * fit, or nulls. What does not come back is to be asked again: nothing was done for it. The other rows are of leases that had expired.
     */
    grant: {
      name: 'db_lock_one_grant',
      text: grant({
        queued: false,
        before: before(
          '',
          `${mayBeShared}
    AND NOT EXISTS (SELECT ${aliveWaiters})`,
        ),
      }),
    },

    /**
     * The same for those who wait, in the order of their tickets, $9; those without one come last. None of them passes another one who waits,
     * unless the lock has been free for so long that it is kept for nobody. $10 is how many permits all of them ask for: where all are
     * granted, `next` waits, too, and may have the lock beside them. Who gets the lock leaves the queue.
     */
    grantQueued: {
      name: 'db_lock_one_grant_queued',
      text: grant({
        queued: true,
        before: before(
          ', first.*',
          `
  LEFT JOIN LATERAL (
    SELECT waiter.ticket, waiter.server, waiter.grant_id, waiter.permits, waiter.permit_limit ${aliveWaiters}
      AND waiter.grant_id <> ALL ($2::uuid[])
      AND ${freeTime('lock')} > statement_timestamp() - ${TURN} * ${MILLISECOND}
    ORDER BY waiter.ticket
    LIMIT 1
  ) AS first ON true${mayBeShared}`,
        ),
      }),
    },

    /**
     * $2 grant ids. Whether a lease is live is asked at the statement's start: nobody else can have got its permits while its lock's row is
     * still the same. One row: the grantIds of those that were `ended`, as a list; whether the row `is_current`, without which nothing was
     * done, and null for a lock that nobody shares; and `next`, who is to be woken. It is as a release that says nothing else: who wants
     * the permits to stay taken, or names a version, asks the other statement.
     */
    release: {
      name: 'db_lock_one_release',
      text: `
WITH seen AS MATERIALIZED (
  SELECT
    locked.*, clock_timestamp() AS now,
    locked.version = (SELECT lock.xmin::text FROM ${locks} AS lock WHERE lock.lock_name = $1) AS is_current
  FROM (${lockedRow(` AND lock.grant_id = ${SHARED}`)}
  ) AS locked
),
ended AS (
  DELETE FROM ${holders} AS holder
  USING seen
  WHERE seen.is_current AND holder.lock_name = $1 AND holder.grant_id = ANY ($2::uuid[])
    AND holder.release_time IS NULL AND holder.expire_time > statement_timestamp()
  RETURNING holder.grant_id
),
turned AS (
  UPDATE ${locks} AS lock
  SET worker_name = newest.worker_name,
      grant_id = CASE WHEN newest.token IS NOT NULL THEN ${SHARED} END,
      lock_time = coalesce(newest.lock_time, lock.lock_time),
      expire_time = coalesce(newest.last_end, seen.now),
      metadata = newest.metadata
  FROM seen
  LEFT JOIN LATERAL (
    SELECT holder.*, max(holder.expire_time) OVER () AS last_end
    ${ofLock} AND ${keptUntil} > seen.now
      AND holder.grant_id NOT IN (SELECT ended.grant_id FROM ended)
    ORDER BY holder.token DESC
    LIMIT 1
  ) AS newest ON true
  WHERE seen.is_current AND EXISTS (SELECT FROM ended) AND lock.lock_name = $1
  RETURNING lock.grant_id
)
SELECT
  (SELECT string_agg(ended.grant_id::text, ',') FROM ended) AS ended,
  (SELECT seen.is_current FROM seen) AS is_current,
  (
    SELECT CASE WHEN turned.grant_id IS NULL OR first.permits IS NOT NULL THEN first.next END
    FROM turned
    CROSS JOIN LATERAL (
      SELECT waiter.server || ' ' || waiter.grant_id AS next, waiter.permits ${aliveWaiters}
        AND waiter.grant_id <> ALL ($2::uuid[])
      ORDER BY waiter.ticket
      LIMIT 1
    ) AS first
  ) AS next,
  ${timeColumn('clock_timestamp()')} AS server_time`,
    },
  } as const;
}

import type { TableNames } from '../table-names.js';
import { TURN } from '../wait-queue.js';
import {
  aliveWaiters as aliveWaitersIn,
  freeTime as freeTimeOf,
  keptUntil as keptUntilOf,
  leaseColumns,
  MILLISECOND,
  NOBODY,
  requestsOf,
  rowOf as rowOfIn,
  SHARED,
  shareColumns,
  timeColumn,
  tokenAt,
} from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

/** The statements about leases in shared mode. */
export type SharedStatements = ReturnType<typeof sharedStatements>;

/**
 * The rows of locks as they follow from their holders, once some of these were ended or changed: a lock lasts as long as the longest of
 * its leases and names the newest; without any, it is free. It counts those who keep others out after the change, by the statement's
 * snapshot: so the lock's row must be locked, and unchanged since the snapshot.
 *
 * It builds on a CTE `changed`: names, the clock, a place in the batch, and the grant ids of those that were ended or changed.
 * `settled` then has a row for each lock. `next` is the first who waits, where there may be something for it: not for one who wants
 * the lock alone while others have it.
 * @param stays rows of those that were changed, as they are now; where all were ended, none
 */
export const settledLocks = (
  { holders, waiters }: Record<'holders' | 'waiters', string>,
  clockTolerance: number,
  stays?: string,
) => `
rest AS (
  SELECT
    changed.lock_name, changed.now, changed.place, NULL AS next, NULL::boolean AS is_next_alone,
    holder.token, holder.worker_name, holder.lock_time, holder.expire_time, holder.metadata
  FROM changed
  CROSS JOIN LATERAL (
    SELECT holder.*
    FROM ${holders} AS holder
    WHERE holder.lock_name = changed.lock_name
      AND array_position(changed.grant_ids, holder.grant_id) IS NULL
      AND ${keptUntilOf('holder', clockTolerance)} > changed.now
    OFFSET 0
  ) AS holder
  UNION ALL${
    stays
      ? `
  SELECT
    stays.lock_name, NULL, NULL, NULL, NULL,
    stays.token, stays.worker_name, stays.lock_time, stays.expire_time, stays.metadata
  FROM (${stays}
  ) AS stays
  UNION ALL`
      : ''
  }
  SELECT
    changed.lock_name, changed.now, changed.place, first.next, first.is_alone,
    -1, NULL, NULL, NULL, NULL
  FROM changed
  LEFT JOIN LATERAL (
    SELECT waiter.server || ' ' || waiter.grant_id AS next, waiter.permits IS NULL AS is_alone
    ${aliveWaitersIn(waiters, 'changed.lock_name')}
      AND array_position(changed.grant_ids, waiter.grant_id) IS NULL
    ORDER BY waiter.ticket
    LIMIT 1
  ) AS first ON true
),
settled AS MATERIALIZED (
  SELECT
    lock.lock_name, lock.now, lock.place, lock.is_free, lock.worker_name, lock.lock_time, lock.expire_time, lock.metadata,
    CASE WHEN lock.is_free OR NOT lock.is_next_alone THEN lock.next END AS next
  FROM (
    SELECT DISTINCT ON (rest.lock_name)
      rest.lock_name, rest.token < 0 AS is_free, rest.worker_name, rest.lock_time, rest.metadata,
      max(rest.now) OVER of_lock AS now,
      max(rest.place) OVER of_lock AS place,
      max(rest.next) OVER of_lock AS next,
      bool_or(rest.is_next_alone) OVER of_lock AS is_next_alone,
      max(rest.expire_time) OVER of_lock AS expire_time
    FROM rest
    WINDOW of_lock AS (PARTITION BY rest.lock_name)
    ORDER BY rest.lock_name, rest.token DESC
  ) AS lock
)`;

/** What an UPDATE of the locks' rows sets them to. @param token of a lock that is free then, if another one */
export const settledRow = (token = 'lock.token') => `
  SET worker_name = settled.worker_name,
      grant_id = CASE WHEN NOT settled.is_free THEN ${SHARED} END,
      token = CASE WHEN settled.is_free THEN ${token} ELSE lock.token END,
      lock_time = coalesce(settled.lock_time, lock.lock_time),
      expire_time = coalesce(settled.expire_time, settled.now),
      metadata = settled.metadata
  FROM settled
  WHERE lock.lock_name = settled.lock_name`;

/**
 * Leases in shared mode are rows of a table of holders, which count while their lock's row has the grantId `SHARED`. What all statements
 * keep to, beside what is said of `lockStatements`:
 * - Every change of a lock's holders also writes the lock's row, in the same transaction and with the row locked. So whoever finds a row
 *   unchanged (by its `xmin`) knows that its holders are.
 * - A statement has one snapshot: once it has waited for a lock's row it sees that one anew, but the holders as they were when it began.
 *   What decides by other holders therefore writes nothing unless the locked row is of the version that the snapshot saw, and says so;
 *   who asked then locks the rows first, and asks the same again in that transaction: that can't be overtaken.
 *
 * Rows are locked one request after the other, in byte order, many of one lock again and again, which costs little: a join with the
 * locks' rows would be a nested loop over both.
 */
export function sharedStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const holders = quoteTable(tables.holder);
  const waiters = quoteTable(tables.waiter);

  const rowOf = (lockName: string, columns: string, locking?: string) =>
    rowOfIn(locks, lockName, columns, locking);

  const lockedRow = (lockName: string) =>
    rowOf(lockName, 'lock.*, lock.xmin::text AS version', 'FOR NO KEY UPDATE');

  const freeTime = (row: string) => freeTimeOf(row, clockTolerance);

  const keptUntil = (holder: string) => keptUntilOf(holder, clockTolerance);

  const settled = (stays?: string) => settledLocks({ holders, waiters }, clockTolerance, stays);

  /** Whether a lease in shared mode is live; its lock's row must be looked at, too. */
  const isLive = (holder: string, now: string) =>
    `${holder}.release_time IS NULL AND ${holder}.expire_time > ${now}`;

  const holderColumns =
    'lock_name, grant_id, worker_name, token, permits, permit_limit, lock_time, expire_time, release_time, metadata';

  /** A row that is there is of a lease that is over. */
  const overwrite = `
  ON CONFLICT (lock_name, grant_id) DO UPDATE
  SET worker_name = EXCLUDED.worker_name, token = EXCLUDED.token,
      permits = EXCLUDED.permits, permit_limit = EXCLUDED.permit_limit,
      lock_time = EXCLUDED.lock_time, expire_time = EXCLUDED.expire_time,
      release_time = EXCLUDED.release_time, metadata = EXCLUDED.metadata
  RETURNING holder.*, holder.xmin::text AS version`;

  /** The row of a holder; another `version` after each writing. */
  const holderRow = (row: string) => `${leaseColumns(row)},${shareColumns(row)},
    ${row}.version`;

  /**
   * The requests of a batch, of which there may be many of one lock, with the locked row of each one's lock, and the clock after that:
   * the same for all of a lock.
   * @param items the request's columns from `item`
   * @param rows the locks' rows
   */
  const lockedAndTimed = (rows: string, earliest?: string) => `
locked AS MATERIALIZED (${rows}
),
seen AS MATERIALIZED (
  SELECT locked.*, ${earliest ? `greatest(clock_timestamp(), ${earliest})` : 'clock_timestamp()'} AS clock
  FROM locked
),
timed AS MATERIALIZED (
  SELECT seen.*, min(seen.clock) OVER (PARTITION BY seen.lock_name) AS now
  FROM seen
)`;

  return {
    /**
     * $1 names, each once, $2 the grantIds that ask for it, as a list. A plain read, without row locks: the locks as `decideShared` wants
     * them, with the version of each row. By the statement's clock, so that all parts of a lock are of one moment. No row: there is no
     * such lock yet.
     */
    look: {
      name: 'db_lock_shared_look',
      text: `
WITH request AS MATERIALIZED (
  SELECT item.lock_name COLLATE "C" AS lock_name, item.asking::uuid[] AS asking
  FROM unnest($1::text[], $2::text[]) AS item (lock_name, asking)
)
SELECT
    lock.version,
    ${timeColumn('statement_timestamp()')} AS now,
    ${timeColumn(freeTime('lock'))} AS free_time,
    taken.permits AS taken_permits,
    ${timeColumn('taken.until')} AS taken_until,
    newest.worker_name AS sharer_name,
    ${timeColumn('newest.lock_time')} AS sharer_lock_time,
    ${timeColumn('newest.expire_time')} AS sharer_expire_time,
    own.leases AS own,
    first.server::text AS first_server,
    first.grant_id::text AS first_grant_id,
    first.ticket::text AS first_ticket,
    first.worker_name AS first_name,
    first.permits::text AS first_permits,
    first.permit_limit::text AS first_limit,${leaseColumns('lock')}
FROM request
CROSS JOIN LATERAL ${rowOf('request.lock_name', 'lock.*, lock.xmin::text AS version')} AS lock
LEFT JOIN LATERAL (
  SELECT sum(holder.permits)::text AS permits, min(${keptUntil('holder')}) AS until
  FROM ${holders} AS holder
  WHERE lock.grant_id = ${SHARED}
    AND holder.lock_name = lock.lock_name AND ${keptUntil('holder')} > statement_timestamp()
) AS taken ON true
LEFT JOIN LATERAL (
  SELECT holder.worker_name, holder.lock_time, holder.expire_time
  FROM ${holders} AS holder
  WHERE lock.grant_id = ${SHARED}
    AND holder.lock_name = lock.lock_name AND ${keptUntil('holder')} > statement_timestamp()
  ORDER BY holder.token DESC
  LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
  SELECT json_agg(lease)::text AS leases
  FROM (
    SELECT${leaseColumns('holder')},${shareColumns('holder')}
    FROM ${holders} AS holder
    WHERE lock.grant_id = ${SHARED}
      AND holder.lock_name = lock.lock_name AND holder.grant_id = ANY (request.asking)
      AND ${isLive('holder', 'statement_timestamp()')}
  ) AS lease
) AS own ON true
LEFT JOIN LATERAL (
  SELECT waiter.* ${aliveWaitersIn(waiters, 'lock.lock_name')}
    AND ${freeTime('lock')} > statement_timestamp() - ${TURN} * ${MILLISECOND}
    AND array_position(request.asking, waiter.grant_id) IS NULL
  ORDER BY waiter.ticket
  LIMIT 1
) AS first ON true`,
    },

    /**
     * $1 names. Locks the rows until the end of the transaction, also of locks that are new: those begin as released ones, which are kept
     * for nobody. An insert locks the row that it meets, even where it is to change nothing. Both in one order, so no two transactions
     * deadlock.
     */
    take: {
      name: 'db_lock_shared_take',
      text: `
WITH ${requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name
  FROM unnest($1::text[]) AS item (lock_name)`)}
INSERT INTO ${locks} AS lock (lock_name, token, lock_time, expire_time)
SELECT request.lock_name, ${tokenAt('clock.now')}, clock.past, clock.past
FROM (
  SELECT moment.now, moment.now - ${TURN} * ${MILLISECOND} AS past
  FROM (SELECT clock_timestamp() AS now) AS moment
) AS clock
CROSS JOIN request
ON CONFLICT (lock_name) DO UPDATE SET token = lock.token WHERE false`,
    },

    /** $1 names. Locks the rows that are there until the end of the transaction. */
    lock: {
      name: 'db_lock_shared_lock',
      text: `
WITH ${requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name
  FROM unnest($1::text[]) AS item (lock_name)`)}
SELECT count(*)
FROM request
CROSS JOIN LATERAL ${rowOf('request.lock_name', 'lock.grant_id', 'FOR NO KEY UPDATE')} AS lock`,
    },

    /**
     * Writes what was decided. $1 names, $2 the versions of the rows that it was decided by, $3 grant ids, $4 worker names, $5 TTLs in ms,
     * $6 metadata as JSON, $7 permits, $8 limits or nulls, $9 whether it is granted or else a repeat, $10 the clock, in µs, that it was
     * decided by: what had expired then must have expired now. Of a lock whose row has another version by now, nothing is written and no
     * row comes back.
     *
     * The first grant after the lock was not shared, or no longer, takes all holders away that were left there, any later one those who
     * keep nobody out: none of them comes to life again, whatever the clock does. Those that were never released are told as `expired`.
     * A repeat writes the rows as they are: so it waits until the first grant is durable, and the lease has another version.
     */
    grant: {
      name: 'db_lock_shared_grant',
      text: `
WITH ${requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.version,
    item.grant_id,
    item.worker_name,
    item.ttl * ${MILLISECOND} AS ttl,
    item.metadata::jsonb AS metadata,
    item.permits,
    item.permit_limit,
    item.is_new,
    item.place
  FROM unnest(
      $1::text[], $2::text[], $3::uuid[], $4::text[], $5::float8[], $6::text[], $7::bigint[], $8::bigint[], $9::boolean[]
    ) WITH ORDINALITY
    AS item (lock_name, version, grant_id, worker_name, ttl, metadata, permits, permit_limit, is_new, place)`)},${lockedAndTimed(
        `
  SELECT
    lock.*,
    request.grant_id AS new_grant_id, request.worker_name AS new_worker_name, request.ttl, request.metadata AS new_metadata,
    request.permits, request.permit_limit, request.is_new, request.place
  FROM request
  CROSS JOIN LATERAL ${lockedRow('request.lock_name')} AS lock
  WHERE lock.version = request.version`,
        `timestamptz 'epoch' + $10::bigint * interval '1 microsecond'`,
      )},
decided AS MATERIALIZED (
  SELECT
    timed.*,
    timed.grant_id IS DISTINCT FROM ${SHARED} OR ${freeTime('timed')} <= timed.now AS is_vacant,
    greatest(timed.token + 1, ${tokenAt('timed.now')}) - 1
      + row_number() OVER (PARTITION BY timed.lock_name, timed.is_new ORDER BY timed.place) AS new_token,
    max(timed.now + timed.ttl) FILTER (WHERE timed.is_new) OVER (PARTITION BY timed.lock_name) AS last_end,
    row_number() OVER (PARTITION BY timed.lock_name ORDER BY timed.is_new DESC, timed.place DESC) = 1 AS is_newest
  FROM timed
),
turned AS (
  UPDATE ${locks} AS lock
  SET worker_name = CASE WHEN newest.is_new THEN newest.new_worker_name ELSE newest.worker_name END,
      grant_id = ${SHARED},
      token = CASE WHEN newest.is_new THEN newest.new_token ELSE newest.token END,
      lock_time = CASE WHEN newest.is_new THEN newest.now ELSE newest.lock_time END,
      expire_time = CASE
        WHEN NOT newest.is_new THEN newest.expire_time
        WHEN newest.is_vacant THEN newest.last_end
        ELSE greatest(newest.expire_time, newest.last_end)
      END,
      metadata = CASE WHEN newest.is_new THEN newest.new_metadata ELSE newest.metadata END
  FROM decided AS newest
  WHERE newest.is_newest AND lock.lock_name = newest.lock_name
),
concerned AS MATERIALIZED (
  SELECT
    decided.lock_name, decided.now, decided.is_vacant, decided.grant_id, decided.worker_name, decided.token,
    bool_or(decided.is_new) AS is_granted,
    array_agg(decided.new_grant_id) AS grant_ids,
    array_agg(decided.new_grant_id) FILTER (WHERE NOT decided.is_new) AS repeated_ids
  FROM decided
  GROUP BY
    decided.lock_name, decided.now, decided.is_vacant, decided.grant_id, decided.worker_name, decided.token
),
dead AS MATERIALIZED (
  SELECT
    holder.lock_name, holder.grant_id, holder.worker_name, holder.token,
    concerned.grant_id = ${SHARED} AND holder.release_time IS NULL AS has_expired,
    array_position(concerned.grant_ids, holder.grant_id) IS NOT NULL AS is_overwritten
  FROM concerned
  CROSS JOIN LATERAL (
    SELECT holder.*
    FROM ${holders} AS holder
    WHERE concerned.is_granted AND holder.lock_name = concerned.lock_name
      AND (concerned.is_vacant OR ${keptUntil('holder')} <= concerned.now)
      AND array_position(concerned.repeated_ids, holder.grant_id) IS NULL
    OFFSET 0
  ) AS holder
),
removed AS (
  DELETE FROM ${holders} AS holder
  USING dead
  WHERE holder.lock_name = dead.lock_name AND holder.grant_id = dead.grant_id AND NOT dead.is_overwritten
),
granted AS (
  INSERT INTO ${holders} AS holder (${holderColumns})
  SELECT
    decided.lock_name, decided.new_grant_id, decided.new_worker_name, decided.new_token,
    decided.permits, decided.permit_limit, decided.now, decided.now + decided.ttl, NULL, decided.new_metadata
  FROM decided
  WHERE decided.is_new${overwrite}
),
repeated AS (
  UPDATE ${holders} AS holder
  SET token = holder.token
  FROM decided
  WHERE NOT decided.is_new AND holder.lock_name = decided.lock_name AND holder.grant_id = decided.new_grant_id
  RETURNING holder.*, holder.xmin::text AS version
),
gone AS (
  DELETE FROM ${waiters} AS waiter
  USING (
    SELECT place.*
    FROM concerned
    CROSS JOIN LATERAL (
      SELECT waiter.lock_name, waiter.ticket, waiter.grant_id
      FROM ${waiters} AS waiter
      WHERE waiter.lock_name = concerned.lock_name
        AND array_position(concerned.grant_ids, waiter.grant_id) IS NOT NULL
      OFFSET 0
    ) AS place
    OFFSET 0
  ) AS place
  WHERE waiter.lock_name = place.lock_name AND waiter.ticket = place.ticket AND waiter.grant_id = place.grant_id
)
SELECT 'granted' AS written,${holderRow('granted')}
FROM granted
UNION ALL
SELECT 'repeated',${holderRow('repeated')}
FROM repeated
UNION ALL
SELECT
  'expired', expired.lock_name, expired.worker_name, NULL, expired.token::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM (
  SELECT dead.lock_name, dead.worker_name, dead.token FROM dead WHERE dead.has_expired
  UNION ALL
  SELECT concerned.lock_name, concerned.worker_name, concerned.token
  FROM concerned
  WHERE concerned.is_granted AND concerned.grant_id NOT IN (${SHARED}, ${NOBODY})
) AS expired`,
    },

    /**
     * $1 names, $2 grant ids, $3 tokens or nulls, $4 TTLs in ms, each grant of a lock once. No version is asked for: a renewal reads and
     * writes the row of its own lease only; and whoever knows a lease knows it from an answer, or has waited for the downgrade that made it
     * one, before this statement began. That row is locked behind the lock's, which shows it as it is by now: an UPDATE alone would leave out
     * a lease whose end, as the snapshot saw it, has passed while another renewal was waited for. Never shortens one. A row that does not
     * come back is lost; where none does, one without a name tells the clock.
     */
    renew: {
      name: 'db_lock_shared_renew',
      text: `
WITH ${requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name, item.grant_id, item.token, item.ttl * ${MILLISECOND} AS ttl
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::float8[]) AS item (lock_name, grant_id, token, ttl)`)},
locked AS MATERIALIZED (
  SELECT request.grant_id, request.token AS wanted_token, request.ttl, holder.*
  FROM request
  CROSS JOIN LATERAL (
    SELECT lock.lock_name
    FROM ${locks} AS lock
    WHERE lock.lock_name = request.lock_name AND lock.grant_id = ${SHARED}
    OFFSET 0
    FOR NO KEY UPDATE
  ) AS lock
  CROSS JOIN LATERAL (
    SELECT holder.lock_name, holder.token, holder.expire_time, holder.release_time
    FROM ${holders} AS holder
    WHERE holder.lock_name = lock.lock_name AND holder.grant_id = request.grant_id
    OFFSET 0
    FOR NO KEY UPDATE
  ) AS holder
),
seen AS MATERIALIZED (SELECT locked.*, clock_timestamp() AS now FROM locked),
renewed AS (
  UPDATE ${holders} AS holder
  SET expire_time = greatest(holder.expire_time, seen.now + seen.ttl)
  FROM seen
  WHERE holder.lock_name = seen.lock_name AND holder.grant_id = seen.grant_id
    AND (seen.wanted_token IS NULL OR seen.token = seen.wanted_token)
    AND ${isLive('seen', 'seen.now')}
  RETURNING holder.*, holder.xmin::text AS version
),
prolonged AS (
  UPDATE ${locks} AS lock
  SET expire_time = greatest(lock.expire_time, longest.expire_time)
  FROM (
    SELECT renewed.lock_name, max(renewed.expire_time) AS expire_time FROM renewed GROUP BY renewed.lock_name
  ) AS longest
  WHERE lock.lock_name = longest.lock_name
)
SELECT${holderRow('renewed')}
FROM (SELECT) AS answer
LEFT JOIN renewed ON true`,
    },

    /**
     * $1 names, $2 grant ids, $3 for how long, in ms from the start of the lease at least, the permits stay taken, $4 versions or nulls:
     * then it ends only what nobody has written since. Each grant of a lock once. Permits that stay taken are those of a lease whose
     * key nobody knows. Whether a lease is live is asked at the statement's start: nobody else can have got its permits while its lock's
     * row is still the same. One row tells of all, by their places in the batch: `ended`, `stale` (to be asked again, with the rows locked;
     * see above), and `next`, who is to be woken: a place, a server and a grantId. Of the others there is no such live lease.
     */
    release: {
      name: 'db_lock_shared_release',
      text: `
WITH ${requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name, item.grant_id, item.min_hold * ${MILLISECOND} AS min_hold,
    item.version, item.place
  FROM unnest($1::text[], $2::uuid[], $3::float8[], $4::text[])
    WITH ORDINALITY AS item (lock_name, grant_id, min_hold, version, place)`)},
known AS MATERIALIZED (
  SELECT request.min_hold, request.version AS wanted_version, request.place, holder.*
  FROM request
  CROSS JOIN LATERAL (
    SELECT holder.*, holder.xmin::text AS version
    FROM ${holders} AS holder
    WHERE holder.lock_name = request.lock_name AND holder.grant_id = request.grant_id
    OFFSET 0
  ) AS holder
),${lockedAndTimed(`
  SELECT known.*, lock.lock_version, before.lock_version AS known_version
  FROM known
  CROSS JOIN LATERAL (
    SELECT lock.xmin::text AS lock_version
    FROM ${locks} AS lock
    WHERE lock.lock_name = known.lock_name AND lock.grant_id = ${SHARED}
    OFFSET 0
    FOR NO KEY UPDATE
  ) AS lock
  LEFT JOIN LATERAL ${rowOf('known.lock_name', 'lock.xmin::text AS lock_version')} AS before ON true`)},
ended AS MATERIALIZED (
  SELECT
    timed.*,
    timed.min_hold > interval '0' AND timed.lock_time + timed.min_hold > timed.now AS stays
  FROM timed
  WHERE timed.lock_version = timed.known_version
    AND ${isLive('timed', 'statement_timestamp()')}
    AND (timed.wanted_version IS NULL OR timed.wanted_version = timed.version)
),
removed AS (
  DELETE FROM ${holders} AS holder
  USING ended
  WHERE holder.lock_name = ended.lock_name AND holder.grant_id = ended.grant_id AND NOT ended.stays
),
kept AS (
  UPDATE ${holders} AS holder
  SET grant_id = gen_random_uuid(), release_time = ended.now, expire_time = ended.lock_time + ended.min_hold
  FROM ended
  WHERE holder.lock_name = ended.lock_name AND holder.grant_id = ended.grant_id AND ended.stays
),
changed AS MATERIALIZED (
  SELECT ended.lock_name, ended.now, max(ended.place) AS place, array_agg(ended.grant_id) AS grant_ids
  FROM ended
  GROUP BY ended.lock_name, ended.now
),${settled(`
    SELECT
      ended.lock_name, ended.token, ended.worker_name, ended.lock_time,
      ended.lock_time + ended.min_hold AS expire_time, ended.metadata
    FROM ended
    WHERE ended.stays`)},
turned AS (
  UPDATE ${locks} AS lock${settledRow()}
)
SELECT
  (SELECT string_agg(ended.place::text, ',') FROM ended) AS ended,
  (
    SELECT string_agg(timed.place::text, ',') FROM timed WHERE timed.lock_version IS DISTINCT FROM timed.known_version
  ) AS stale,
  (SELECT string_agg(settled.place || ' ' || settled.next, ',') FROM settled) AS next,
  ${timeColumn('clock_timestamp()')} AS server_time`,
    },

    /**
     * $1 names, each once, $2 grant ids, $3 permits, $4 limits or nulls. A live exclusive lease becomes the only holder. Of one that was
     * `repeated`, only the versions are new. What is `stale` is to be asked again, with the rows locked; see above. `next` waits for the
     * lock, and may share it.
     */
    downgrade: {
      name: 'db_lock_shared_downgrade',
      text: `
WITH ${requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name, item.grant_id, item.permits, item.permit_limit
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[]) AS item (lock_name, grant_id, permits, permit_limit)`)},${lockedAndTimed(`
  SELECT
    lock.*, request.grant_id AS wanted_grant_id, request.permits, request.permit_limit, before.version AS known_version
  FROM request
  CROSS JOIN LATERAL ${lockedRow('request.lock_name')} AS lock
  LEFT JOIN LATERAL ${rowOf('request.lock_name', 'lock.xmin::text AS version')} AS before ON true`)},
current AS MATERIALIZED (SELECT timed.* FROM timed WHERE timed.version = timed.known_version),
turned AS (
  UPDATE ${locks} AS lock
  SET grant_id = ${SHARED}, token = greatest(lock.token + 1, ${tokenAt('current.now')})
  FROM current
  WHERE lock.lock_name = current.lock_name
    AND current.grant_id = current.wanted_grant_id AND current.expire_time > current.now
  RETURNING lock.*, current.wanted_grant_id, current.permits, current.permit_limit
),
removed AS (
  DELETE FROM ${holders} AS holder
  USING turned
  WHERE holder.lock_name = turned.lock_name AND holder.grant_id <> turned.wanted_grant_id
),
downgraded AS (
  INSERT INTO ${holders} AS holder (${holderColumns})
  SELECT
    turned.lock_name, turned.wanted_grant_id, turned.worker_name, turned.token,
    turned.permits, turned.permit_limit, turned.lock_time, turned.expire_time, NULL, turned.metadata
  FROM turned${overwrite}
),
repeated AS (
  UPDATE ${holders} AS holder
  SET token = holder.token
  FROM current
  WHERE current.grant_id = ${SHARED}
    AND holder.lock_name = current.lock_name AND holder.grant_id = current.wanted_grant_id
    AND ${isLive('holder', 'current.now')}
  RETURNING holder.*, holder.xmin::text AS version
),
touched AS (
  UPDATE ${locks} AS lock
  SET token = lock.token
  FROM repeated
  WHERE lock.lock_name = repeated.lock_name
)
SELECT
  'downgraded' AS became,
  (
    SELECT CASE WHEN waiter.permits IS NOT NULL THEN waiter.server || ' ' || waiter.grant_id END
    ${aliveWaitersIn(waiters, 'downgraded.lock_name')} AND waiter.grant_id <> downgraded.grant_id
    ORDER BY waiter.ticket
    LIMIT 1
  ) AS next,${holderRow('downgraded')}
FROM downgraded
UNION ALL
SELECT 'repeated', NULL,${holderRow('repeated')}
FROM repeated
UNION ALL
SELECT 'stale', NULL, timed.lock_name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM timed
WHERE timed.version IS DISTINCT FROM timed.known_version`,
    },

    /** How many pages the table has. */
    pages: {
      name: 'db_lock_shared_pages',
      text: `
SELECT (pg_relation_size('${holders.replaceAll("'", "''")}') / current_setting('block_size')::bigint)::text AS pages`,
    },

    /** $1 first page, $2 page after the last, $3 retention in ms. Holders that keep nobody out for so long count nowhere. */
    removeEnded: {
      name: 'db_lock_shared_remove_ended',
      text: `
DELETE FROM ${holders}
WHERE ctid = ANY (ARRAY(
  SELECT holder.ctid FROM ${holders} AS holder
  WHERE holder.ctid >= format('(%s,0)', $1::bigint)::tid AND holder.ctid < format('(%s,0)', $2::bigint)::tid
    AND ${keptUntil('holder')} <= clock_timestamp() - $3::float8 * ${MILLISECOND}
  FOR UPDATE SKIP LOCKED
))
RETURNING 1 AS removed`,
    },
  } as const;
}

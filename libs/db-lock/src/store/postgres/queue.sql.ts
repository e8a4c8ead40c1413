import type { TableNames } from '../table-names.js';
import {
  ALIVE_TIME,
  aliveWaiters,
  leaseColumns,
  leftQueue,
  lockedRows,
  MILLISECOND,
  nextInLine,
  requestsOf,
  tokenAt,
} from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

export type QueueStatements = ReturnType<typeof queueStatements>;

/** The statements of those who wait, and of who passes its lock on to one of them, which keep to the same as `lockStatements`. */
export function queueStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const waiters = quoteTable(tables.waiter);

  return {
    /**
     * $1 names, $2 grant ids to end, $3 to $7 the successors' worker names, grant ids, TTLs in ms, metadata and tickets,
     * $8 the server they wait on. Ends a lease and grants the lock to its successor in one step; to nobody when a living
     * waiter of another server has waited longer. A row that does not come back is lost. The clock is read after the row lock, in a CTE of
     * its own: a select list may be computed before its rows are locked.
     */
    pass: {
      name: 'db_lock_pass',
      text: `
WITH ${requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.grant_id::uuid AS ended_grant_id,
    item.new_worker_name,
    item.new_grant_id::uuid AS new_grant_id,
    item.ttl * ${MILLISECOND} AS ttl,
    item.new_metadata::jsonb AS new_metadata,
    coalesce(item.ticket, 9223372036854775807) AS ticket
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::bigint[])
    AS item (lock_name, grant_id, new_worker_name, new_grant_id, ttl, new_metadata, ticket)`)},
locked AS MATERIALIZED (${lockedRows(
        locks,
        'request.ended_grant_id, request.new_worker_name, request.new_grant_id, request.ttl, request.new_metadata, request.ticket',
      )}
),
seen AS MATERIALIZED (
  SELECT locked.*, clock_timestamp() AS now
  FROM locked
),
passed AS MATERIALIZED (
  SELECT seen.*, NOT EXISTS (
    SELECT ${aliveWaiters(waiters, 'seen.lock_name')}
      AND waiter.ticket < seen.ticket
      AND waiter.server <> $8::uuid
  ) AS passes
  FROM seen
),
ended AS (
UPDATE ${locks} AS lock
SET worker_name = CASE WHEN passed.passes THEN passed.new_worker_name END,
    grant_id = CASE WHEN passed.passes THEN passed.new_grant_id END,
    metadata = CASE WHEN passed.passes THEN passed.new_metadata END,
    token = CASE WHEN passed.passes THEN greatest(passed.token + 1, ${tokenAt('passed.now')}) ELSE passed.token END,
    lock_time = CASE WHEN passed.passes THEN passed.now ELSE passed.lock_time END,
    expire_time = CASE WHEN passed.passes THEN passed.now + passed.ttl ELSE passed.now END
FROM passed
WHERE lock.lock_name = passed.lock_name
  AND passed.grant_id = passed.ended_grant_id
  AND passed.expire_time > statement_timestamp()
RETURNING lock.*, lock.xmin::text AS version, passed.passes, passed.ended_grant_id
),
gone AS (${leftQueue(waiters, 'ended')}
)
SELECT ended.passes, ended.version, ${nextInLine(waiters, 'ended.lock_name', 'ended.ended_grant_id')} AS next,${leaseColumns('ended')}
FROM ended`,
    },

    /**
     * $1 the server, $2 names, $3 grant ids, $4 worker names, $5 tickets or nulls, $6 permits and $7 limits, or nulls. A ticket is the time of joining in µs:
     * it orders the waiters of all servers, also after a crash has emptied the table.
     */
    join: {
      name: 'db_lock_join',
      text: `
INSERT INTO ${waiters} AS waiter (lock_name, ticket, grant_id, worker_name, server, permits, permit_limit, alive_until)
SELECT
  item.lock_name, coalesce(item.ticket, ${tokenAt('statement_timestamp()')} + item.place), item.grant_id::uuid,
  item.worker_name, $1::uuid, item.permits, item.permit_limit, clock_timestamp() + ${ALIVE_TIME}
FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
  WITH ORDINALITY AS item (lock_name, grant_id, worker_name, ticket, permits, permit_limit, place)
ON CONFLICT (lock_name, ticket, grant_id) DO UPDATE SET alive_until = EXCLUDED.alive_until
RETURNING grant_id::text AS grant_id, ticket::text AS ticket`,
    },

    /** $1 names, $2 tickets, $3 grant ids. */
    leave: {
      name: 'db_lock_leave',
      text: `
DELETE FROM ${waiters} AS waiter
USING unnest($1::text[], $2::bigint[], $3::text[]) AS item (lock_name, ticket, grant_id)
WHERE waiter.lock_name = item.lock_name COLLATE "C"
  AND waiter.ticket = item.ticket
  AND waiter.grant_id = item.grant_id::uuid`,
    },

    /** $1 the server. Waits for no row that a grant is taking out of its queue: grants go by name, this by place. */
    stay: {
      name: 'db_lock_stay',
      text: `
WITH forgotten AS (
  DELETE FROM ${waiters}
  WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ${waiters}
    WHERE alive_until <= clock_timestamp() AND server <> $1::uuid
    FOR UPDATE SKIP LOCKED
  ))
)
UPDATE ${waiters}
SET alive_until = clock_timestamp() + ${ALIVE_TIME}
WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM ${waiters}
  WHERE server = $1::uuid
  FOR NO KEY UPDATE SKIP LOCKED
))
RETURNING lock_name, ticket::text AS ticket, grant_id::text AS grant_id`,
    },

    /** $1 the channel, $2 payloads. */
    notify: {
      name: 'db_lock_notify',
      text: 'SELECT pg_notify($1, item.payload) FROM unnest($2::text[]) AS item (payload)',
    },
  } as const;
}

import { quoteTable, type TableNames } from '../model/schema-sql.js';
import type { ListQuery, SortField } from './lock-store.js';

/** A statement with the name under which a connection keeps it prepared. */
export interface Statement {
  name: string;
  text: string;
}

/** What a connection is for. Each purpose has its own connection, with its own settings. */
export type Purpose =
  /** Grants and renewals: commit durably before they answer. */
  | 'acquire'
  /** Releases: losing one in a crash only means that the lease runs to its end. */
  | 'release'
  /** Reading, force release, clean-up. */
  | 'desk';

export interface SessionTimeouts {
  /** Milliseconds after which the server gives a statement up. */
  statement: number;
  /** Milliseconds that a statement waits for a row lock. */
  rowLock: number;
}

/** Every statement of a store, each written once. */
export type LockStatements = ReturnType<typeof postgresStatements>;

const SORT_COLUMNS: Record<SortField, string> = {
  lockName: 'lock_name',
  workerName: 'worker_name',
  lockTime: 'lock_time',
  expireTime: 'expire_time',
  fencingToken: 'token',
};

/** Times leave as whole milliseconds and bigints as text: no driver's parser, JS Date or session time zone can bend them. */
const milliseconds = (time: string) => `floor(extract(epoch FROM ${time}) * 1000)::float8`;

const leaseColumns = (row: string) => `
    ${row}.lock_name,
    ${row}.worker_name,
    ${row}.grant_id::text AS grant_id,
    ${row}.token::text AS token,
    ${milliseconds(`${row}.lock_time`)} AS lock_time,
    ${milliseconds(`${row}.expire_time`)} AS expire_time,
    ${milliseconds('clock_timestamp()')} AS server_time,
    ${milliseconds(`greatest(${row}.expire_time - clock_timestamp(), interval '0')`)} AS time_left,
    ${row}.metadata::text AS metadata`;

/** The fencing token of a grant at a time: grows even when the row was removed or a failover lost the last grant. */
const tokenAt = (time: string) => `(extract(epoch FROM ${time}) * 1000000)::bigint`;

const stateOf = (row: string) => `
    CASE
      WHEN ${row}.grant_id IS NULL THEN 'released'
      WHEN ${row}.expire_time <= statement_timestamp() THEN 'expired'
      ELSE 'held'
    END`;

/**
 * PostgreSQL 14 and later, and PGlite. What all statements keep to:
 * - one statement, autocommit, READ COMMITTED;
 * - names in byte order, so that two batches lock rows in the same order and never deadlock;
 * - `clock_timestamp()`, read after the row is locked: `now()` is the transaction's start, and a lease granted by it may
 *   lie in the past.
 */
export function postgresStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);

  /** Locks the rows of the requested names and reads them as they are then, whatever the statement's snapshot says. */
  const lockedRows = (requestColumns: string) => `
  SELECT lock.*, ${requestColumns}
  FROM request
  JOIN ${locks} AS lock ON lock.lock_name = request.lock_name
  ORDER BY lock.lock_name
  FOR NO KEY UPDATE OF lock`;

  const matching = `
  ($1::text IS NULL
    OR lock.lock_name COLLATE "default" ILIKE $1
    OR lock.worker_name COLLATE "default" ILIKE $1)
  AND ($2::text IS NULL OR ${stateOf('lock')} = $2)`;

  return {
    /**
     * $1 names, $2 worker names, $3 grant ids, $4 TTLs in ms, $5 metadata as JSON; names are unique in one batch.
     * A live lease of another grant is seen by the plain read in `decided` first: no write, no WAL, no row lock. What
     * looks free is decided again by `turn`, after ON CONFLICT has locked the row. Who loses there rewrites the row
     * as it was; so does a repeat, whose commit thereby waits until the first grant is durable, too.
     * `clock` hangs on the row, so that it is read anew for each: a batch may have waited for the row before.
     * A row with `decided` has been decided under its lock; one without is the holder as the plain read saw it.
     */
    acquire: {
      name: 'db_lock_acquire',
      text: `
WITH request AS MATERIALIZED (
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.worker_name,
    item.grant_id::uuid AS grant_id,
    item.ttl * interval '1 millisecond' AS ttl,
    item.metadata::jsonb AS metadata
  FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[])
    AS item (lock_name, worker_name, grant_id, ttl, metadata)
  ORDER BY item.lock_name COLLATE "C"
),
decided AS (
  INSERT INTO ${locks} AS lock (lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata)
  SELECT
    request.lock_name, request.worker_name, request.grant_id,
    ${tokenAt('clock.now')}, clock.now, clock.now + request.ttl, request.metadata
  FROM request
  CROSS JOIN LATERAL (SELECT clock_timestamp() AS now WHERE request.lock_name IS NOT NULL) AS clock
  WHERE NOT EXISTS (
    SELECT FROM ${locks} AS held
    WHERE held.lock_name = request.lock_name
      AND held.grant_id <> request.grant_id
      AND held.expire_time > clock_timestamp()
  )
  ON CONFLICT (lock_name) DO UPDATE
  SET (worker_name, grant_id, token, lock_time, expire_time, metadata) = (
    SELECT
      CASE WHEN turn.free THEN EXCLUDED.worker_name ELSE lock.worker_name END,
      CASE WHEN turn.free THEN EXCLUDED.grant_id ELSE lock.grant_id END,
      CASE WHEN turn.free THEN greatest(lock.token + 1, ${tokenAt('clock.now')}) ELSE lock.token END,
      CASE WHEN turn.free THEN clock.now ELSE lock.lock_time END,
      CASE WHEN turn.free THEN clock.now + (EXCLUDED.expire_time - EXCLUDED.lock_time) ELSE lock.expire_time END,
      CASE WHEN turn.free THEN EXCLUDED.metadata ELSE lock.metadata END
    FROM (SELECT clock_timestamp() AS now) AS clock
    CROSS JOIN LATERAL (SELECT lock.grant_id IS NULL OR lock.expire_time <= clock.now AS free) AS turn
  )
  RETURNING lock.*
)
SELECT
    true AS decided,
    decided.lock_time < statement_timestamp() AS repeated,${leaseColumns('decided')}
FROM decided
UNION ALL
SELECT
    false AS decided,
    false AS repeated,${leaseColumns('holder')}
FROM request
JOIN ${locks} AS holder ON holder.lock_name = request.lock_name
WHERE holder.grant_id <> request.grant_id`,
    },

    /**
     * $1 names, $2 grant ids, $3 TTLs in ms. A row that does not come back is lost. Never shortens a lease: a renewal
     * that was given up for lost and runs late must not cut off what a later one has promised.
     */
    renew: {
      name: 'db_lock_renew',
      text: `
WITH request AS MATERIALIZED (
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.grant_id::uuid AS grant_id,
    item.ttl * interval '1 millisecond' AS ttl
  FROM unnest($1::text[], $2::text[], $3::float8[]) AS item (lock_name, grant_id, ttl)
  ORDER BY item.lock_name COLLATE "C"
),
locked AS MATERIALIZED (${lockedRows('request.grant_id AS wanted_grant_id, request.ttl')}
)
UPDATE ${locks} AS lock
SET expire_time = greatest(locked.expire_time, clock_timestamp() + locked.ttl)
FROM locked
WHERE lock.lock_name = locked.lock_name
  AND locked.grant_id = locked.wanted_grant_id
  AND locked.expire_time > clock_timestamp()
RETURNING${leaseColumns('lock')}`,
    },

    /** $1 names, $2 grant ids, $3 worker names (used where the grant id is null). A row that does not come back is lost. */
    release: {
      name: 'db_lock_release',
      text: `
WITH request AS MATERIALIZED (
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.grant_id::uuid AS grant_id,
    item.worker_name
  FROM unnest($1::text[], $2::text[], $3::text[]) AS item (lock_name, grant_id, worker_name)
  ORDER BY item.lock_name COLLATE "C"
),
locked AS MATERIALIZED (${lockedRows('request.grant_id AS wanted_grant_id, request.worker_name AS wanted_worker_name')}
)
UPDATE ${locks} AS lock
SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = clock_timestamp()
FROM locked
WHERE lock.lock_name = locked.lock_name
  AND (locked.grant_id = locked.wanted_grant_id
    OR (locked.wanted_grant_id IS NULL AND locked.worker_name = locked.wanted_worker_name))
  AND locked.expire_time > clock_timestamp()
RETURNING lock.lock_name`,
    },

    /**
     * $1 names, $2 actors, $3 reasons. A row that does not come back was free. The token grows, so that a resource
     * which has seen it refuses the old holder; the history row commits with it.
     */
    forceRelease: {
      name: 'db_lock_force_release',
      text: `
WITH request AS MATERIALIZED (
  SELECT item.lock_name COLLATE "C" AS lock_name, item.actor, item.reason
  FROM unnest($1::text[], $2::text[], $3::text[]) AS item (lock_name, actor, reason)
  ORDER BY item.lock_name COLLATE "C"
),
locked AS MATERIALIZED (${lockedRows('request.actor, request.reason')}
),
freed AS (
  UPDATE ${locks} AS lock
  SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = clock_timestamp(),
      token = greatest(lock.token + 1, ${tokenAt('clock_timestamp()')})
  FROM locked
  WHERE lock.lock_name = locked.lock_name
    AND locked.grant_id IS NOT NULL
    AND locked.expire_time > clock_timestamp()
  RETURNING locked.*
),
recorded AS (
  INSERT INTO ${history} (lock_name, event, worker_name, token, actor, reason, event_time)
  SELECT lock_name, 'forced', worker_name, token, actor, reason, clock_timestamp()
  FROM freed
)
SELECT${leaseColumns('freed')}
FROM freed`,
    },

    /** $1 names. */
    inspect: {
      name: 'db_lock_inspect',
      text: `
SELECT ${stateOf('lock')} AS state,${leaseColumns('lock')}
FROM unnest($1::text[]) AS item (lock_name)
JOIN ${locks} AS lock ON lock.lock_name = item.lock_name COLLATE "C"`,
    },

    /** $1 search pattern or null, $2 state or null, $3 limit, $4 offset. */
    list: ({ sort, order }: Pick<ListQuery, 'sort' | 'order'>): Statement => ({
      name: `db_lock_list_${sort}_${order}`,
      text: `
SELECT ${stateOf('lock')} AS state,${leaseColumns('lock')}
FROM ${locks} AS lock
WHERE ${matching}
ORDER BY lock.${SORT_COLUMNS[sort]} ${order} NULLS LAST${sort === 'lockName' ? '' : ', lock.lock_name'}
LIMIT $3 OFFSET $4`,
    }),

    /** $1 search pattern or null, $2 state or null. */
    listTotal: {
      name: 'db_lock_list_total',
      text: `
SELECT count(*)::text AS total
FROM ${locks} AS lock
WHERE ${matching}`,
    },

    countByState: {
      name: 'db_lock_count_by_state',
      text: `
SELECT ${stateOf('lock')} AS state, count(*)::text AS total
FROM ${locks} AS lock
GROUP BY 1`,
    },

    /** $1 name, $2 limit. */
    history: {
      name: 'db_lock_history',
      text: `
SELECT lock_name, event, worker_name, token::text AS token, actor, reason, ${milliseconds('event_time')} AS event_time
FROM ${history}
WHERE lock_name = $1
ORDER BY id DESC
LIMIT $2`,
    },

    /** How many pages the table has, for going through it in chunks without an index on time. */
    pages: {
      name: 'db_lock_pages',
      text: `
SELECT (pg_relation_size('${locks.replaceAll("'", "''")}') / current_setting('block_size')::bigint)::text AS pages`,
    },

    /** $1 first page, $2 page after the last. Never waits for a row that somebody works on. */
    clearExpired: {
      name: 'db_lock_clear_expired',
      text: `
UPDATE ${locks}
SET worker_name = NULL, grant_id = NULL, metadata = NULL
WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM ${locks}
  WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid
    AND grant_id IS NOT NULL
    AND expire_time <= clock_timestamp()
  FOR NO KEY UPDATE SKIP LOCKED
))
RETURNING 1 AS cleared`,
    },

    /**
     * $1 first page, $2 page after the last, $3 retention in ms. A row whose token runs ahead of the clock stays:
     * without it, the next token would be a smaller one.
     */
    removeIdle: {
      name: 'db_lock_remove_idle',
      text: `
DELETE FROM ${locks}
WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM ${locks}
  WHERE ctid >= format('(%s,0)', $1::bigint)::tid AND ctid < format('(%s,0)', $2::bigint)::tid
    AND expire_time <= clock_timestamp() - $3::float8 * interval '1 millisecond'
    AND token < ${tokenAt('clock_timestamp()')}
  FOR UPDATE SKIP LOCKED
))
RETURNING 1 AS removed`,
    },

    ping: { name: 'db_lock_ping', text: 'SELECT 1 AS pong' },
  } as const;
}

/** $1 the table. Waits until nobody else is creating it; held until the transaction ends. */
export const CREATION_TURN: Statement = {
  name: 'db_lock_creation_turn',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('nestjs-db-lock ' || $1, 0))`,
};

/** What a start-up must know: $1 the table, quoted. One row a column, none when there is no such table. */
export const TABLE_COLUMNS: Statement = {
  name: 'db_lock_table_columns',
  text: `
SELECT
  attribute.attname AS column_name,
  coalesce(collation_.collisdeterministic, true) AS deterministic,
  EXISTS (
    SELECT FROM pg_index
    WHERE indrelid = attribute.attrelid AND indisunique AND indpred IS NULL
      AND indnkeyatts = 1 AND indkey[0] = attribute.attnum
  ) AS is_unique,
  attribute.attnotnull AND NOT attribute.atthasdef AND attribute.attidentity = '' AS is_required,
  current_setting('server_encoding') AS encoding
FROM pg_attribute AS attribute
LEFT JOIN pg_collation AS collation_ ON collation_.oid = attribute.attcollation
WHERE attribute.attrelid = to_regclass($1) AND attribute.attnum > 0 AND NOT attribute.attisdropped`,
};

/**
 * Prepares a connection of its own. Plans are pinned to nested loops by primary key: a plan made while the table was
 * empty, or for a batch of another size, would scan the table.
 */
export function sessionSettings(purpose: Purpose, timeouts: SessionTimeouts): string {
  const settings: Record<string, string> = {
    default_transaction_isolation: `'read committed'`,
    statement_timeout: `'${timeouts.statement}'`,
    lock_timeout: `'${timeouts.rowLock}'`,
    jit: `'off'`,
  };
  if (purpose !== 'desk') {
    settings['plan_cache_mode'] = `'force_generic_plan'`;
    for (const detour of ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan'])
      settings[detour] = `'off'`;
  }
  settings['synchronous_commit'] =
    purpose === 'release'
      ? `'off'`
      : `CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END`;
  return `SELECT ${Object.entries(settings)
    .map(([name, value]) => `set_config('${name}', ${value}, false)`)
    .join(', ')}`;
}

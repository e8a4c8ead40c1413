import type { TableNames } from '../table-names.js';
import { quoteTable } from './tables.sql.js';
import { COUNTED } from '../history-store.js';
import { lookColumns, MILLISECOND, timeColumn, waiterCounts, type Statement } from './fragments.sql.js';

/** How many rows one statement trims: some milliseconds of work. */
export const TRIM_CHUNK = 5_000;

/** How far back in a lock's history one looks for the beginning of a lease. */
const LOOK_BACK = 100;

/** How many names a minute's row keeps of those that were contended. */
const MAX_CONTENDED = 20;

/** The minutes of the last $1 milliseconds. */
const inRange = (row: string) => `${row}.period > clock_timestamp() - $1::float8 * ${MILLISECOND}`;

/** The statements about what has happened. */
export function historyStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);
  const waiters = quoteTable(tables.waiter);
  const holders = quoteTable(tables.holder);
  const statistics = quoteTable(tables.statistics);

  /** Two histograms, added up. */
  const sum = (histogram: string) => `(
      SELECT jsonb_agg(coalesce(pair.one::bigint, 0) + coalesce(pair.other::bigint, 0) ORDER BY pair.place)
      FROM ROWS FROM (
        jsonb_array_elements_text(minute.${histogram}), jsonb_array_elements_text(EXCLUDED.${histogram})
      ) WITH ORDINALITY AS pair (one, other, place)
    )`;

  return {
    /**
     * $1 name, $2 limit, $3 and $4 the time in µs and the id to begin before, or nulls. A grantId is a key, perhaps to other locks
     * too, or to a lease yet to come: so much of it is told as finds it elsewhere.
     */
    of: {
      name: 'db_lock_history',
      text: `
SELECT
  past.id::text AS id, past.lock_name, past.event, past.worker_name,
  left(past.grant_id::text, 8) || '…' AS grant_id,
  past.token::text AS token, past.actor, past.reason, past.details::text AS details,
  ${timeColumn('past.event_time')} AS event_time
FROM ${history} AS past
WHERE past.lock_name = $1
  AND ($3::bigint IS NULL
    OR (past.event_time, past.id) < (timestamptz 'epoch' + $3::bigint * interval '1 microsecond', $4::bigint))
ORDER BY past.event_time DESC, past.id DESC
LIMIT $2`,
    },

    /**
     * $1 names, $2 events, $3 worker names or nulls, $4 grant ids or nulls, $5 tokens or nulls, $6 details as JSON or nulls,
     * $7 ages in ms, by the statement's arrival: it may wait for the table, which `clock_timestamp()` would tell of. Who ends a
     * lease on another server than it began is looked up in what is known of the grant. Nothing was lost by who had released it,
     * nor where there is no such lock.
     */
    record: {
      name: 'db_lock_record',
      text: `
INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, details, event_time)
SELECT
  item.lock_name, item.event,
  coalesce(item.worker_name, known.worker_name), item.grant_id::uuid, coalesce(item.token, known.token),
  item.details::jsonb,
  coalesce(timestamptz 'epoch' + item.time * ${MILLISECOND}, now() - item.age * ${MILLISECOND})
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::float8[], $8::float8[])
  WITH ORDINALITY AS item (lock_name, event, worker_name, grant_id, token, details, age, time, place)
LEFT JOIN LATERAL (
  SELECT recent.worker_name, recent.token, recent.event
  FROM (
    SELECT past.*
    FROM ${history} AS past
    WHERE item.worker_name IS NULL AND item.grant_id IS NOT NULL AND past.lock_name = item.lock_name COLLATE "C"
    ORDER BY past.event_time DESC, past.id DESC
    LIMIT ${LOOK_BACK}
  ) AS recent
  WHERE recent.grant_id = item.grant_id::uuid
  ORDER BY recent.event_time DESC, recent.id DESC
  LIMIT 1
) AS known ON true
WHERE item.event <> 'lost'
  OR item.worker_name IS NOT NULL
  OR known.event <> 'released'
  OR known.event IS NULL
    AND EXISTS (SELECT FROM ${locks} AS lock WHERE lock.lock_name = item.lock_name COLLATE "C")
ORDER BY item.place`,
    },

    /** $1 to $7 the counts, $8 and $9 the histograms, $10 contended names, as JSON. */
    count: {
      name: 'db_lock_count',
      text: `
INSERT INTO ${statistics} AS minute (period, ${COUNTED.join(', ')}, hold_times, wait_times, contended)
VALUES (
  date_trunc('minute', clock_timestamp()), ${COUNTED.map((_, index) => `$${index + 1}::bigint`).join(', ')},
  $8::jsonb, $9::jsonb, $10::jsonb
)
ON CONFLICT (period) DO UPDATE
SET ${COUNTED.map((column) => `${column} = minute.${column} + EXCLUDED.${column}`).join(', ')},
    hold_times = ${sum('hold_times')},
    wait_times = ${sum('wait_times')},
    contended = coalesce((
      SELECT jsonb_object_agg(name.key, jsonb_build_array(name.refused, name.waited))
      FROM (
        SELECT item.key, sum((item.value ->> 0)::bigint) AS refused, sum((item.value ->> 1)::bigint) AS waited
        FROM (
          SELECT * FROM jsonb_each(minute.contended)
          UNION ALL
          SELECT * FROM jsonb_each(EXCLUDED.contended)
        ) AS item
        GROUP BY item.key
        ORDER BY sum((item.value ->> 0)::bigint + (item.value ->> 1)::bigint) DESC
        LIMIT ${MAX_CONTENDED}
      ) AS name
    ), '{}')`,
    },

    /** $1 the range, $2 the step, in ms. */
    points: {
      name: 'db_lock_points',
      text: `
SELECT
  (floor(date_part('epoch', minute.period) * 1000 / $2::float8) * $2::float8)::bigint::text AS time,
  ${COUNTED.map((column) => `sum(minute.${column})::text AS ${column}`).join(', ')}
FROM ${statistics} AS minute
WHERE ${inRange('minute')}
GROUP BY 1
ORDER BY min(minute.period)`,
    },

    /** $1 the range in ms. */
    histograms: {
      name: 'db_lock_histograms',
      text: `
SELECT coalesce(sum(slot.hold::bigint), 0)::text AS hold, coalesce(sum(slot.wait::bigint), 0)::text AS wait
FROM ${statistics} AS minute
CROSS JOIN LATERAL ROWS FROM (
  jsonb_array_elements_text(minute.hold_times), jsonb_array_elements_text(minute.wait_times)
) WITH ORDINALITY AS slot (hold, wait, place)
WHERE ${inRange('minute')}
GROUP BY slot.place
ORDER BY slot.place`,
    },

    /** $1 the range in ms, $2 how many. */
    contended: {
      name: 'db_lock_contended',
      text: `
SELECT
  name.key AS lock_name,
  sum((name.value ->> 0)::bigint)::text AS refused,
  sum((name.value ->> 1)::bigint)::text AS waited
FROM ${statistics} AS minute
CROSS JOIN LATERAL jsonb_each(minute.contended) AS name
WHERE ${inRange('minute')}
GROUP BY name.key
ORDER BY sum((name.value ->> 0)::bigint + (name.value ->> 1)::bigint) DESC, name.key COLLATE "C"
LIMIT $2`,
    },

    /** Where a look for changes begins. */
    latest: {
      name: 'db_lock_latest',
      text: `
SELECT coalesce(max(id), 0)::text AS cursor, ${timeColumn('clock_timestamp()')} AS server_time FROM ${history}`,
    },

    /** How many wait for each lock, where a look for changes begins. */
    waited: {
      name: 'db_lock_waited',
      text: waiterCounts(waiters),
    },

    /**
     * $1 the last id that was seen, $2 names of locks that were waited for and $3 by how many, $4 how many at most. One row a name to
     * which something happened since, or for which more or fewer wait, with the id of the last that happened to it; without
     * columns of a lock where there is none. Locks that are waited for as before cost one count a look, however many they are.
     */
    changes: {
      name: 'db_lock_changes',
      text: `
WITH recent AS MATERIALIZED (
  SELECT past.id, past.lock_name FROM ${history} AS past WHERE past.id > $1::bigint ORDER BY past.id LIMIT $4 * 10
),
waited AS MATERIALIZED (${waiterCounts(waiters)}
),
name AS MATERIALIZED (
  SELECT concerned.lock_name, max(concerned.id) AS last
  FROM (
    SELECT recent.id, recent.lock_name FROM recent
    UNION ALL
    SELECT NULL, coalesce(waited.lock_name, known.lock_name)
    FROM waited
    FULL JOIN unnest($2::text[], $3::int[]) AS known (lock_name, waiting)
      ON known.lock_name COLLATE "C" = waited.lock_name
    WHERE known.waiting IS DISTINCT FROM waited.waiting
  ) AS concerned
  GROUP BY concerned.lock_name
  LIMIT $4
)
SELECT
  name.lock_name AS name, coalesce(name.last, 0)::text AS last,
  (SELECT max(recent.id) FROM recent)::text AS read_to, (SELECT max(past.id) FROM ${history} AS past)::text AS newest, lock.*
FROM name
LEFT JOIN LATERAL (
  SELECT ${lookColumns('lock', { waiters, holders })}
  FROM ${locks} AS lock
  WHERE lock.lock_name = name.lock_name
  OFFSET 0
) AS lock ON true`,
    },

    /**
     * $1 the age in ms, $2 the most rows. The oldest first, which are those of the lowest ids but for a moment. What operators did
     * goes by its age only: nothing else crowds it out.
     */
    trim: {
      name: 'db_lock_trim',
      text: `
WITH old AS (
  DELETE FROM ${history}
  WHERE ctid = ANY (ARRAY(
      SELECT past.ctid FROM ${history} AS past ORDER BY past.id LIMIT ${TRIM_CHUNK} FOR UPDATE SKIP LOCKED
    ))
    AND event_time < clock_timestamp() - $1::float8 * ${MILLISECOND}
  OR ctid = ANY (ARRAY(
      SELECT past.ctid
      FROM ${history} AS past
      WHERE past.id <= (SELECT max(id) FROM ${history}) - $2::bigint AND past.actor IS NULL
      ORDER BY past.id
      LIMIT ${TRIM_CHUNK}
      FOR UPDATE SKIP LOCKED
    ))
  RETURNING 1
),
minutes AS (
  DELETE FROM ${statistics} WHERE period < clock_timestamp() - $1::float8 * ${MILLISECOND}
)
SELECT count(*)::text AS trimmed FROM old`,
    },
  } as const satisfies Record<string, Statement>;
}

export type HistoryStatements = ReturnType<typeof historyStatements>;

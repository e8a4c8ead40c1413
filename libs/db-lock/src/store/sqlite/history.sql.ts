import { COUNTED } from '../history-store.js';
import type { TableNames } from '../table-names.js';
import { waiterCounts } from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

/** How far back in a lock's history one looks for the beginning of a lease. */
const LOOK_BACK = 100;

/** The statements about what has happened. */
export function historyStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);
  const waiters = quoteTable(tables.waiter);
  const statistics = quoteTable(tables.statistics);
  const minuteColumns = `period, ${COUNTED.join(', ')}, hold_times, wait_times, contended`;
  return {
    /**
     * The newest first, before `:time` and `:id` where those are given. A grantId is a key, perhaps to other locks too, or to a lease yet to
     * come: so much of it is told as finds it elsewhere.
     */
    of: `
SELECT
  past.id, past.lock_name, past.event, past.worker_name, substr(past.grant_id, 1, 8) || '…' AS grant_id,
  past.token, past.actor, past.reason, past.details, past.event_time
FROM ${history} AS past
WHERE past.lock_name = :lockName AND (:time IS NULL OR (past.event_time, past.id) < (:time, :id))
ORDER BY past.event_time DESC, past.id DESC
LIMIT :limit`,

    record: `
INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, details, event_time)
VALUES (:lockName, :event, :workerName, :grantId, :token, :details, :time)`,

    /** What is known of a grant: who ends a lease on another server than it began is looked up here. */
    known: `
SELECT recent.worker_name, recent.token, recent.event
FROM (
  SELECT past.* FROM ${history} AS past
  WHERE past.lock_name = :lockName
  ORDER BY past.event_time DESC, past.id DESC
  LIMIT ${LOOK_BACK}
) AS recent
WHERE recent.grant_id = :grantId
ORDER BY recent.event_time DESC, recent.id DESC
LIMIT 1`,

    exists: `SELECT 1 AS found FROM ${locks} WHERE lock_name = :lockName`,

    minute: `SELECT ${minuteColumns} FROM ${statistics} WHERE period = :period`,

    /** The counts are added to those of the same minute; the histograms and the names are what they have become. */
    count: `
INSERT INTO ${statistics} AS minute (period, ${COUNTED.join(', ')}, hold_times, wait_times, contended)
VALUES (:period, ${COUNTED.map((counted) => `:${counted}`).join(', ')}, :hold, :wait, :contended)
ON CONFLICT (period) DO UPDATE
SET ${COUNTED.map((column) => `${column} = minute.${column} + excluded.${column}`).join(', ')},
    hold_times = excluded.hold_times,
    wait_times = excluded.wait_times,
    contended = excluded.contended`,

    /** The first minutes after `:since`. */
    minutes: `
SELECT ${minuteColumns}
FROM ${statistics}
WHERE period > :since
ORDER BY period
LIMIT :limit`,

    /** Where a look for changes begins. */
    latest: `SELECT coalesce(max(id), 0) AS id FROM ${history}`,

    /** How many wait for each lock. */
    waited: waiterCounts(waiters),

    /** To which locks something has happened since `:id`, by `:limit` happenings at most. */
    recent: `
SELECT recent.lock_name, max(recent.id) AS last
FROM (SELECT past.id, past.lock_name FROM ${history} AS past WHERE past.id > :id ORDER BY past.id LIMIT :limit) AS recent
GROUP BY recent.lock_name`,

    /** The oldest, which are those of the lowest ids but for a moment. */
    trimByAge: `
DELETE FROM ${history}
WHERE id IN (SELECT past.id FROM ${history} AS past ORDER BY past.id LIMIT :limit) AND event_time < :since`,

    /** What operators did goes by its age only: nothing else crowds it out. */
    trimByNumber: `
DELETE FROM ${history}
WHERE id IN (
  SELECT past.id FROM ${history} AS past
  WHERE past.id <= :lastId AND past.actor IS NULL
  ORDER BY past.id
  LIMIT :limit
)`,

    trimMinutes: `DELETE FROM ${statistics} WHERE period < :since`,
  } as const;
}

export type HistoryStatements = ReturnType<typeof historyStatements>;

import type { SortField } from '../lock-desk.js';
import type { TableNames } from '../table-names.js';
import {
  aliveWaiters,
  isIdle,
  leaseColumns,
  liveSharersOf,
  lookColumns,
  NOBODY,
  NOW,
  RETURNING_LEASE,
  SHARED,
  sharingOf,
  stateOf,
  waiterCounts,
  workerOf,
} from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

const SORT_COLUMNS: Record<SortField, string> = {
  lockName: 'lock.lock_name',
  workerName: workerOf('lock'),
  lockTime: 'lock.lock_time',
  expireTime: 'lock.expire_time',
  fencingToken: 'lock.token',
  waiting: 'waiting',
};

/**
 * The statements of those who look at locks, and act on them, from outside. Where they are about many locks, they are about a slice of the
 * table: the names after `:after`, up to `:last`.
 * @param clockTolerance for how many microseconds a lease that was not released keeps others out after its end
 */
export function deskStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);
  const waiters = quoteTable(tables.waiter);
  const holders = quoteTable(tables.holder);

  const inSlice = 'lock.lock_name > :after AND lock.lock_name <= :last';

  /** `:search` is a GLOB pattern, or null like the others. */
  const matching = `${inSlice}
  AND (:search IS NULL OR lock.lock_name GLOB :search OR lock.worker_name GLOB :search
    OR (lock.grant_id = ${SHARED} AND EXISTS (
      SELECT 1 ${liveSharersOf(holders, 'lock')} AND holder.worker_name GLOB :search)))
  AND (:state IS NULL OR ${stateOf('lock')} = :state OR (:state = 'contended' AND queue.waiting > 0))
  AND (:prefix IS NULL OR substr(lock.lock_name, 1, length(:prefix)) = :prefix)`;

  /** The locks with how many wait for each. */
  const contendedLocks = `
FROM ${locks} AS lock
LEFT JOIN (${waiterCounts(waiters)}
) AS queue ON queue.lock_name = lock.lock_name`;

  const counted = (state: string) => `count(*) FILTER (WHERE ${stateOf('lock')} = '${state}') AS ${state}`;

  return {
    look: `SELECT ${lookColumns('lock', waiters, holders)} FROM ${locks} AS lock WHERE lock.lock_name = :lockName`,

    /** Those who wait for one lock, the first `:limit`. */
    queue: `
SELECT waiter.worker_name, waiter.ticket, waiter.permits, waiter.permit_limit ${aliveWaiters(waiters, ':lockName')}
ORDER BY waiter.ticket
LIMIT :limit`,

    /** The first `:limit` that match. */
    list: ({ sort, order }: { sort: SortField; order: 'asc' | 'desc' }) => `
SELECT
  ${stateOf('lock')} AS state, coalesce(queue.waiting, 0) AS waiting, ${sharingOf('lock', holders)} AS sharing,
  ${leaseColumns('lock')}${contendedLocks}
WHERE ${matching}
ORDER BY ${SORT_COLUMNS[sort]} ${order} NULLS LAST${sort === 'lockName' ? '' : ', lock.lock_name'}
LIMIT :limit`,

    count: `
SELECT count(*) AS total${contendedLocks}
WHERE ${matching}`,

    /** Names by what they have in common up to the next ':' after the prefix. */
    groups: `
SELECT
  substr(lock.lock_name, 1, length(coalesce(:prefix, '')) + lock.colon) AS prefix,
  count(*) AS total, ${counted('held')}, ${counted('expired')}, ${counted('released')},
  coalesce(sum(queue.waiting), 0) AS waiting
FROM (
  SELECT lock.*, instr(substr(lock.lock_name, length(coalesce(:prefix, '')) + 1), ':') AS colon
  FROM ${locks} AS lock
  WHERE ${inSlice}
) AS lock
LEFT JOIN (${waiterCounts(waiters)}
) AS queue ON queue.lock_name = lock.lock_name
WHERE ${matching} AND lock.colon > 0
GROUP BY 1
ORDER BY 1`,

    /** One row a state. */
    counts: `
SELECT ${stateOf('lock')} AS state, count(*) AS total, count(queue.waiting) AS contended, coalesce(sum(queue.waiting), 0) AS waiting${contendedLocks}
WHERE ${inSlice}
GROUP BY 1`,

    /** The token grows, so that a resource which has seen it refuses the old holder. */
    forceRelease: `
UPDATE ${locks}
SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = ${NOW}, token = max(token + 1, ${NOW}),
    row_version = row_version + 1
WHERE lock_name = :lockName`,

    edit: `
UPDATE ${locks} AS lock
SET expire_time = :expireTime, metadata = :metadata, row_version = row_version + 1
WHERE lock_name = :lockName
${RETURNING_LEASE}`,

    /** A lock that is not free, that somebody waits for, or that was used since `:idleSince`, stays. */
    deleteReleased: `
DELETE FROM ${locks} AS lock
WHERE lock.lock_name = :lockName
  AND ${stateOf('lock')} = 'released'
  AND ${isIdle('lock')}
  AND NOT EXISTS (SELECT 1 ${aliveWaiters(waiters, 'lock.lock_name')})
${RETURNING_LEASE}`,

    /** Expired leases that keep nobody out any more. */
    expired: `
SELECT ${leaseColumns('lock')}
FROM ${locks} AS lock
WHERE ${inSlice} AND lock.grant_id <> ${NOBODY} AND lock.expire_time + ${clockTolerance} <= ${NOW}`,

    clear: `
UPDATE ${locks}
SET worker_name = NULL, grant_id = NULL, metadata = NULL, row_version = row_version + 1
WHERE lock_name = :lockName`,

    record: `
INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, actor, reason, details, event_time)
VALUES (:lockName, :event, :workerName, :grantId, :token, :actor, :reason, :details, ${NOW})`,
  } as const;
}

export type DeskStatements = ReturnType<typeof deskStatements>;

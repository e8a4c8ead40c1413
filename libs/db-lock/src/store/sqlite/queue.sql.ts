import type { TableNames } from '../table-names.js';
import { aliveWaiters, NOBODY, NOW, SHARED, sharersOf } from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

/**
 * The statements about those who wait.
 * @param clockTolerance for how many microseconds a lease that was not released keeps others out after its end
 */
export function queueStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const waiters = quoteTable(tables.waiter);
  const holders = quoteTable(tables.holder);
  return {
    /** Whether anybody waits for any lock. */
    anybody: `SELECT 1 AS waits FROM ${waiters} WHERE alive_until > ${NOW} LIMIT 1`,

    /** The first in a lock's queue. */
    first: `
SELECT waiter.worker_name, waiter.grant_id, waiter.ticket ${aliveWaiters(waiters, ':lockName')}
ORDER BY waiter.ticket
LIMIT 1`,

    /** The same, but for one whose lease has just been ended: it waits no longer, though it may still stand there. */
    next: `
SELECT waiter.server, waiter.grant_id ${aliveWaiters(waiters, ':lockName')} AND waiter.grant_id IS NOT :ended
ORDER BY waiter.ticket
LIMIT 1`,

    /** Whether somebody on another server stands before that ticket. */
    before: `
SELECT 1 AS waits ${aliveWaiters(waiters, ':lockName')} AND waiter.ticket < :ticket AND waiter.server <> :server
LIMIT 1`,

    /** The last in a lock's queue: the next one gets a greater ticket, also in the same millisecond. */
    lastTicket: `SELECT max(ticket) AS last FROM ${waiters} WHERE lock_name = :lockName`,

    join: `
INSERT INTO ${waiters} (lock_name, ticket, grant_id, worker_name, server, permits, permit_limit, alive_until)
VALUES (:lockName, :ticket, :grantId, :workerName, :server, :permits, :limit, :aliveUntil)
ON CONFLICT (lock_name, ticket, grant_id) DO UPDATE SET alive_until = excluded.alive_until`,

    leave: `DELETE FROM ${waiters} WHERE lock_name = :lockName AND ticket = :ticket AND grant_id = :grantId`,

    /** Who has got a lock waits no longer. */
    leftQueue: `DELETE FROM ${waiters} WHERE lock_name = :lockName AND grant_id = :grantId`,

    forget: `DELETE FROM ${waiters} WHERE alive_until <= ${NOW} AND server <> :server`,

    stay: `
UPDATE ${waiters} SET alive_until = :aliveUntil WHERE server = :server
RETURNING lock_name, ticket, grant_id`,

    /**
     * Whether a lock is free, and kept for nobody who waits on another server; or is shared, and has room for the first in its queue, who waits on
     * this one.
     */
    isFree: `
SELECT 1 AS free
FROM ${locks} AS lock
WHERE lock.lock_name = :lockName
  AND (
    (lock.grant_id IS NULL OR lock.grant_id = ${NOBODY} AND lock.expire_time <= ${NOW})
    AND :server = coalesce((
      SELECT waiter.server ${aliveWaiters(waiters, 'lock.lock_name')}
      ORDER BY waiter.ticket
      LIMIT 1
    ), :server)
    OR lock.grant_id = ${SHARED}
    AND EXISTS (
      SELECT 1
      FROM (
        SELECT waiter.server, waiter.permits, waiter.permit_limit ${aliveWaiters(waiters, ':lockName')}
        ORDER BY waiter.ticket
        LIMIT 1
      ) AS first
      WHERE first.server = :server
        AND first.permits IS NOT NULL
        AND (
          first.permit_limit IS NULL
          OR first.permits + (SELECT coalesce(sum(holder.permits), 0) ${sharersOf(holders, ':lockName', clockTolerance)}) <= first.permit_limit
        )
    )
  )`,
  } as const;
}

export type QueueStatements = ReturnType<typeof queueStatements>;

import type { TableNames } from '../table-names.js';
import { TURN, type QueuePlace, type Waiter } from '../wait-queue.js';
import {
  ALIVE_TIME,
  aliveWaiters,
  freeTime as freeTimeOf,
  listOf,
  microsecondsOf,
  NOW,
  quoteTable,
  quoteText,
  type Packet,
} from './fragments.sql.js';
import { holderFragments, SHARED } from './holders.sql.js';

export type QueueStatements = ReturnType<typeof queueStatements>;

/**
 * The statements of those who wait. They touch the waiters' table only, so they wait for no grant.
 * @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end
 */
export function queueStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const waiters = quoteTable(tables.waiter);
  const freeTime = freeTimeOf(clockTolerance);
  const { permitsTaken } = holderFragments(tables, clockTolerance);

  return {
    /**
     * Tells the time of joining in microseconds: with its number in the batch, from 1 on, added, it is the ticket of each waiter that has none. It orders the
     * waiters of all servers, also after some were lost.
     */
    join(server: string, batch: readonly Waiter[]): Packet {
      const rows = batch.map(({ lockName, ticket, grantId, workerName, share }, index) => {
        const place = ticket ?? `@now + ${index + 1}`;
        return `(${quoteText(lockName)}, ${place}, ${quoteText(grantId)}, ${quoteText(workerName)}, ${quoteText(server)}, ${share?.permits ?? 'NULL'}, ${share?.limit ?? 'NULL'}, @now + ${ALIVE_TIME})`;
      });
      return [
        `SET @now = ${NOW}`,
        `INSERT INTO ${waiters} (lock_name, ticket, grant_id, worker_name, server, permits, permit_limit, alive_until)
VALUES ${rows.join(',\n  ')}
ON DUPLICATE KEY UPDATE alive_until = VALUES(alive_until)`,
        'SELECT @now AS joined',
      ];
    },

    /** One look into the primary key a place: a list of rows would be compared with the whole table on MariaDB. */
    leave(places: readonly QueuePlace[]): Packet {
      const each = places.map(
        ({ lockName, ticket, grantId }) =>
          `(lock_name = ${quoteText(lockName)} AND ticket = ${ticket} AND grant_id = ${quoteText(grantId)})`,
      );
      return [
        `DELETE FROM ${waiters}
WHERE ${each.join('\n  OR ')}`,
      ];
    },

    /** Says that the server's waiters are alive, forgets the dead of others, and tells where its own stand. */
    stay: (server: string): Packet => [
      `SET @now = ${NOW}`,
      `UPDATE ${waiters} SET alive_until = @now + ${ALIVE_TIME} WHERE server = ${quoteText(server)}`,
      `DELETE FROM ${waiters} WHERE alive_until <= @now AND server <> ${quoteText(server)}`,
      `SELECT lock_name, ticket, grant_id FROM ${waiters} WHERE server = ${quoteText(server)}`,
    ],

    /**
     * Those of the locks that are free, and kept for nobody who waits on another server; and those that are shared and have room for the first
     * in their queue, who waits on this server. A plain read, which locks no row: who is told asks for
     * the lock as everybody does.
     */
    freed: (server: string, lockNames: readonly string[]): Packet => [
      `SELECT lock_name
FROM ${locks} AS lock_row FORCE INDEX (PRIMARY)
WHERE lock_name IN (${listOf(lockNames)})
  AND IF(
    grant_id IS NULL OR ${freeTime} <= ${NOW},
    ${freeTime} <= ${NOW} - ${microsecondsOf(TURN)}
    OR COALESCE(
      (SELECT waiter.server ${aliveWaiters(waiters)} ORDER BY waiter.ticket, waiter.grant_id LIMIT 1),
      ${quoteText(server)}
    ) = ${quoteText(server)},
    grant_id = ${SHARED} AND (
      SELECT waiter.server = ${quoteText(server)} AND waiter.permits IS NOT NULL
        AND (waiter.permit_limit IS NULL OR waiter.permits + ${permitsTaken(NOW)} <= waiter.permit_limit)
      ${aliveWaiters(waiters)}
      ORDER BY waiter.ticket, waiter.grant_id
      LIMIT 1
    )
  )`,
    ],
  };
}

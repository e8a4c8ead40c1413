import type { TableNames } from '../table-names.js';
import { TURN } from '../wait-queue.js';
import { aliveWaiters as aliveWaitersIn, MILLISECOND, timeColumn, tokenAt } from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

export type LoneStatements = ReturnType<typeof loneStatements>;

/**
 * Acquires and releases in exclusive mode that come alone: plans of a third of the size as those of `lockStatements`, which keep to the same.
 * No row: nothing was done, and those are to be asked.
 */
export function loneStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const aliveWaiters = aliveWaitersIn(quoteTable(tables.waiter), '$1');

  return {
    /**
     * $1 the name, $2 the grantId, $3 the worker name, $4 the TTL in ms, $5 the metadata as JSON, of one who waits in no queue. Takes a lock that was
     * released or never was, and is kept for nobody. What a plain read sees held costs no write and no row lock. The clock of a lock
     * that was there is read again once ON CONFLICT has locked its row.
     */
    acquire: {
      name: 'db_lock_lone_acquire',
      text: `
INSERT INTO ${locks} AS lock (lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata)
SELECT $1::text, $3::text, $2::uuid, ${tokenAt('clock.now')}, clock.now, clock.now + $4::float8 * ${MILLISECOND}, $5::jsonb
FROM (SELECT clock_timestamp() AS now OFFSET 0) AS clock
WHERE NOT EXISTS (
  SELECT FROM ${locks} AS lock
  WHERE lock.lock_name = $1::text COLLATE "C"
    AND (lock.grant_id IS NOT NULL
      OR lock.expire_time > statement_timestamp() - ${TURN} * ${MILLISECOND} AND EXISTS (SELECT ${aliveWaiters}))
)
ON CONFLICT (lock_name) DO UPDATE
SET worker_name = EXCLUDED.worker_name,
    grant_id = EXCLUDED.grant_id,
    metadata = EXCLUDED.metadata,
    (token, lock_time, expire_time) = (
      SELECT
        greatest(lock.token + 1, ${tokenAt('clock.now')}),
        clock.now,
        clock.now + (EXCLUDED.expire_time - EXCLUDED.lock_time)
      FROM (SELECT clock_timestamp() AS now) AS clock
    )
WHERE lock.grant_id IS NULL
RETURNING lock.token::text AS token, ${timeColumn('lock.lock_time')} AS lock_time, lock.xmin::text AS version`,
    },

    /**
     * $1 the name, $2 the grantId. Ends a lease whose lock nobody waits for. Whether it is live is asked at the statement's start, as all
     * releases do.
     */
    release: {
      name: 'db_lock_lone_release',
      text: `
UPDATE ${locks} AS lock
SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = statement_timestamp()
WHERE lock.lock_name = $1::text COLLATE "C"
  AND lock.grant_id = $2::uuid
  AND lock.expire_time > statement_timestamp()
  AND NOT EXISTS (SELECT ${aliveWaiters})
RETURNING ${timeColumn('clock_timestamp()')} AS server_time`,
    },
  } as const;
}

import type { TableNames } from '../table-names.js';
import {
  aliveWaiters as aliveWaitersIn,
  FREED,
  isReleased,
  MILLISECOND,
  timeColumn,
  tokenAt,
} from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

export type LoneStatements = ReturnType<typeof loneStatements>;

/**
 * Acquires and releases in exclusive mode that come alone: plans of a third of the size as those of `lockStatements`, which keep to the same.
 * No row: nothing was done, and those are to be asked.
 */
export function loneStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const aliveWaiters = aliveWaitersIn(quoteTable(tables.waiter), '$1');

  const granted = `RETURNING lock.token::text AS token, ${timeColumn('lock.lock_time')} AS lock_time, lock.xmin::text AS version`;

  return {
    /**
     * Takes a lock that was released and is kept for nobody: `acquireReleased` of one. $1 the name, $2 the grantId, $3 the worker name, $4 the TTL
     * in ms, $5 the metadata as JSON, of one who waits in no queue.
     */
    take: {
      name: 'db_lock_lone_take',
      text: `
UPDATE ${locks} AS lock
SET worker_name = $3::text,
    grant_id = $2::uuid,
    token = greatest(lock.token + 1, ${tokenAt('released.now')}),
    lock_time = released.now,
    expire_time = released.now + $4::float8 * ${MILLISECOND},
    metadata = $5::jsonb
FROM (
  SELECT locked.*, clock_timestamp() AS now
  FROM (
    SELECT lock.ctid AS row
    FROM ${locks} AS lock
    WHERE lock.lock_name = $1::text COLLATE "C"
      AND ${isReleased('lock', aliveWaiters)}
    OFFSET 0
    FOR NO KEY UPDATE
  ) AS locked
  OFFSET 0
) AS released
WHERE lock.ctid = released.row
${granted}`,
    },

    /**
     * Takes a lock that never was, with the same parameters. Where there is one, nothing is inserted, and so neither a default nor a trigger of the
     * application's is asked.
     */
    make: {
      name: 'db_lock_lone_make',
      text: `
INSERT INTO ${locks} AS lock (lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata)
SELECT $1::text, $3::text, $2::uuid, ${tokenAt('clock.now')}, clock.now, clock.now + $4::float8 * ${MILLISECOND}, $5::jsonb
FROM (SELECT clock_timestamp() AS now OFFSET 0) AS clock
WHERE NOT EXISTS (SELECT FROM ${locks} AS lock WHERE lock.lock_name = $1::text COLLATE "C")
ON CONFLICT (lock_name) DO NOTHING
${granted}`,
    },

    /**
     * $1 the name, $2 the grantId. Ends a lease whose lock nobody waits for. Whether it is live is asked at the statement's start, as all
     * releases do.
     */
    release: {
      name: 'db_lock_lone_release',
      text: `
UPDATE ${locks} AS lock
SET ${FREED}
WHERE lock.lock_name = $1::text COLLATE "C"
  AND lock.grant_id = $2::uuid
  AND lock.expire_time > statement_timestamp()
  AND NOT EXISTS (SELECT ${aliveWaiters})
RETURNING ${timeColumn('clock_timestamp()')} AS server_time`,
    },
  } as const;
}

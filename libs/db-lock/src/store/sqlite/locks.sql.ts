import type { TableNames } from '../table-names.js';
import { isIdle, leaseColumns, NOBODY, NOW, RETURNING_LEASE } from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

/**
 * The statements about leases, for one lock each. What all of them keep to:
 * - a batch is one transaction that began with BEGIN IMMEDIATE: nobody else writes between what it reads and what it writes;
 * - `:now` was read after that, so no lease begins in the past, however long the file was waited for.
 */
export function lockStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);

  /**
   * A name, a worker, a grantId, the time twice, the end, and metadata or null. The token grows even when the clock was set back, or the row was
   * removed.
   */
  const take = `
INSERT INTO ${locks} AS lock (lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata, row_version)
VALUES (?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (lock_name) DO UPDATE
SET worker_name = excluded.worker_name,
    grant_id = excluded.grant_id,
    token = max(lock.token + 1, excluded.token),
    lock_time = excluded.lock_time,
    expire_time = excluded.expire_time,
    metadata = excluded.metadata,
    row_version = lock.row_version + 1`;

  /** A live lease of one grant. */
  const isTheirs = `lock_name = :lockName AND grant_id = :grantId AND expire_time > ${NOW}`;

  return {
    /** The lock, whosever it is. */
    row: `SELECT ${leaseColumns('lock')} FROM ${locks} AS lock WHERE lock.lock_name = :lockName`,

    /** A shortcut: decides, writes and answers in one. No row: the lock is not one that was released, or is new. */
    takeReleased: `${take}
WHERE lock.grant_id IS NULL
RETURNING token, row_version AS version`,

    /** Takes a lock that was found to be free. */
    take: `${take}
RETURNING token, row_version AS version`,

    /** A repeat of a live lease: it stays as it is, and leaves its mark. */
    repeat: `UPDATE ${locks} SET row_version = row_version + 1 WHERE lock_name = :lockName`,

    /** Never shortens a lease. No row: it is lost. */
    renew: `
UPDATE ${locks} AS lock
SET expire_time = max(expire_time, ${NOW} + :ttl), row_version = row_version + 1
WHERE ${isTheirs} AND (:token IS NULL OR token = :token)
${RETURNING_LEASE}`,

    /** Ends a live lease: the time, a name, a grantId, and the time. */
    release: `
UPDATE ${locks}
SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = ?, row_version = row_version + 1
WHERE lock_name = ? AND grant_id = ? AND expire_time > ?`,

    /** Ends a lease whose lock stays taken until `:until`, by nobody. */
    releaseLater: `
UPDATE ${locks}
SET grant_id = ${NOBODY}, expire_time = :until, row_version = row_version + 1
WHERE lock_name = :lockName`,

    /** Removes the locks of a slice that nobody has used for long. */
    removeIdle: `
DELETE FROM ${locks}
WHERE lock_name IN (SELECT lock.lock_name FROM ${locks} AS lock WHERE lock.lock_name > :after AND lock.lock_name <= :last AND ${isIdle('lock')})`,

    /** Where a part of the table ends that begins after `:after`; no row where there is nothing. */
    slice: `
SELECT max(lock_name) AS last
FROM (SELECT lock_name FROM ${locks} WHERE lock_name > :after ORDER BY lock_name LIMIT :limit)`,
  } as const;
}

export type LockStatements = ReturnType<typeof lockStatements>;

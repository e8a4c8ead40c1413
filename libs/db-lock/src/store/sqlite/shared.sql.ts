import type { TableNames } from '../table-names.js';
import { aliveWaiters, keepsOut, keptUntil, NOW, SHARED, sharersOf } from './fragments.sql.js';
import { quoteTable } from './tables.sql.js';

/** A lease of one who shares a lock, as `rows.ts` reads it. With its token, the number of its writings is of no other lease of the same grantId. */
const SHARER = `lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata, permits, permit_limit, release_time,
  token || '.' || row_version AS version, ${NOW} AS server_time`;

/**
 * The statements about leases in shared mode, which are rows of the table of holders. They count only while the lock's own row has the grantId
 * that says so. As with all leases, a batch is one transaction that nobody else writes beside: it reads what is taken, decides, and writes the
 * holders and the lock's row.
 * @param clockTolerance for how many microseconds a lease that was not released keeps others out after its end
 */
export function sharedStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const holders = quoteTable(tables.holder);
  const waiters = quoteTable(tables.waiter);

  const sharers = sharersOf(holders, ':lockName', clockTolerance);

  /** One lease, which is live only where its lock is shared. */
  const isTheirs = `lock_name = :lockName AND grant_id = :grantId`;
  const isLive = `${isTheirs} AND release_time IS NULL AND expire_time > ${NOW}
  AND EXISTS (SELECT 1 FROM ${locks} AS lock WHERE lock.lock_name = :lockName AND lock.grant_id = ${SHARED})`;

  return {
    /** What is taken of a shared lock: permits, the latest end, and when the first of those who have them stops keeping others out. */
    taken: `
SELECT
  coalesce(sum(holder.permits), 0) AS permits,
  coalesce(max(holder.expire_time), 0) AS expire_time,
  coalesce(min(${keptUntil('holder', clockTolerance)}), 0) AS first_end ${sharers}`,

    /** Those who have it, or the one of that token; the newest first. */
    sharers: `
SELECT ${SHARER} ${sharers} AND (:token IS NULL OR holder.token = :token)
ORDER BY holder.token DESC
LIMIT :limit`,

    /** Those who have it by now, for people to see; the oldest first. */
    holdings: `
SELECT ${SHARER}
FROM ${holders} AS holder
WHERE holder.lock_name = :lockName AND holder.expire_time > ${NOW}
ORDER BY holder.token
LIMIT :limit`,

    /** A live lease. */
    live: `SELECT ${SHARER} FROM ${holders} WHERE ${isLive}`,

    /** Takes away the leases that keep nobody out any more, before a grant: whatever the clock does, none of them lives again. */
    forgetDead: `
DELETE FROM ${holders} AS holder
WHERE holder.lock_name = :lockName AND NOT (${keepsOut('holder', clockTolerance)})
RETURNING lock_name, worker_name, token, release_time`,

    /** The same with all, where the lock was not shared until now: what is left there is of a time that is over. */
    forgetAll: `
DELETE FROM ${holders}
WHERE lock_name = :lockName
RETURNING lock_name, worker_name, token, release_time`,

    /** A lease that was granted. One of the same grantId may be there that has run out and still keeps others out. */
    add: `
INSERT INTO ${holders} (
  lock_name, grant_id, worker_name, token, permits, permit_limit, lock_time, expire_time, release_time, metadata, row_version
)
VALUES (:lockName, :grantId, :workerName, :token, :permits, :limit, :lockTime, :expireTime, NULL, :metadata, 1)
ON CONFLICT (lock_name, grant_id) DO UPDATE
SET worker_name = excluded.worker_name,
    token = excluded.token,
    permits = excluded.permits,
    permit_limit = excluded.permit_limit,
    lock_time = excluded.lock_time,
    expire_time = excluded.expire_time,
    release_time = NULL,
    metadata = excluded.metadata,
    row_version = 1`,

    /** The lock's row after grants: of the newest lease, with the token after which the next one comes, and the latest end. */
    share: `
INSERT INTO ${locks} AS lock (lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata, row_version)
VALUES (:lockName, :workerName, ${SHARED}, :token, ${NOW}, :expireTime, :metadata, 1)
ON CONFLICT (lock_name) DO UPDATE
SET worker_name = excluded.worker_name,
    grant_id = excluded.grant_id,
    token = excluded.token,
    lock_time = excluded.lock_time,
    expire_time = excluded.expire_time,
    metadata = excluded.metadata,
    row_version = lock.row_version + 1`,

    /** A repeat of a live lease: it stays as it is, and leaves its mark. */
    repeat: `UPDATE ${holders} SET row_version = row_version + 1 WHERE ${isLive} RETURNING ${SHARER}`,

    /** Never shortens a lease. No row: it is lost. */
    renew: `
UPDATE ${holders}
SET expire_time = max(expire_time, ${NOW} + :ttl), row_version = row_version + 1
WHERE ${isLive} AND (:token IS NULL OR token = :token)
RETURNING ${SHARER}`,

    /** The lock is kept from exclusive leases for as long as the longest of those who share it. */
    extend: `
UPDATE ${locks}
SET expire_time = max(expire_time, :expireTime), row_version = row_version + 1
WHERE lock_name = :lockName`,

    edit: `
UPDATE ${holders}
SET expire_time = :expireTime, metadata = :metadata, row_version = row_version + 1
WHERE ${isTheirs}
RETURNING ${SHARER}`,

    remove: `DELETE FROM ${holders} WHERE ${isTheirs}`,

    /** Ends a lease whose permits stay taken until `:until`. Nobody knows its new key, so nobody repeats, renews or releases it. */
    keep: `
UPDATE ${holders}
SET grant_id = :nobodysGrant, release_time = ${NOW}, expire_time = :until, row_version = row_version + 1
WHERE ${isTheirs}`,

    /** The lock's row after some have gone: of the newest who is left, and with the latest end. */
    settle: `
UPDATE ${locks}
SET worker_name = :workerName, lock_time = :lockTime, metadata = :metadata, expire_time = :expireTime,
    row_version = row_version + 1
WHERE lock_name = :lockName`,

    /** The lock's row after all have gone. */
    free: `
UPDATE ${locks}
SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = ${NOW}, row_version = row_version + 1
WHERE lock_name = :lockName`,

    /** The lock's row when its exclusive lease becomes a shared one: nobody finds it free in between. */
    downgrade: `
UPDATE ${locks}
SET grant_id = ${SHARED}, token = :token, row_version = row_version + 1
WHERE lock_name = :lockName`,

    /** The first who waits for the lock and is none of those who ask, whose grantIds are given as JSON. */
    firstOfOthers: `
SELECT waiter.server, waiter.grant_id, waiter.ticket, waiter.worker_name, waiter.permits, waiter.permit_limit
${aliveWaiters(waiters, ':lockName')} AND waiter.grant_id NOT IN (SELECT value FROM json_each(:asking))
ORDER BY waiter.ticket
LIMIT 1`,

    /** The first who waits, but for one whose lease has just been ended; nobody where that one wants the lock alone and others have it. */
    next: `
SELECT first.server, first.grant_id
FROM (
  SELECT waiter.server, waiter.grant_id, waiter.permits
  ${aliveWaiters(waiters, ':lockName')} AND waiter.grant_id IS NOT :ended
  ORDER BY waiter.ticket
  LIMIT 1
) AS first
WHERE first.permits IS NOT NULL OR NOT EXISTS (SELECT 1 ${sharers})`,

    /** Where a part of the holders' table ends that begins after `:after`; no row where there is nothing. */
    slice: `
SELECT max(lock_name) AS last
FROM (SELECT lock_name FROM ${holders} WHERE lock_name > :after ORDER BY lock_name LIMIT :limit)`,

    /** Removes what leases of a slice have left, whatever became of their locks. */
    removeIdle: `
DELETE FROM ${holders}
WHERE lock_name > :after AND lock_name <= :last AND expire_time + ${clockTolerance} <= :idleSince`,
  } as const;
}

export type SharedStatements = ReturnType<typeof sharedStatements>;

import type { Share } from '../../lease/modes.js';
import type { LockMetadata } from '../../lease/metadata.js';
import type { DowngradeRequest, ReleaseByGrant, RenewRequest } from '../../lease/requests.js';
import type { TableNames } from '../table-names.js';
import { TURN } from '../wait-queue.js';
import {
  aliveWaiters,
  CLOCK,
  freeTime as freeTimeOf,
  leaseColumns,
  listOf,
  lockedRows,
  microsecondsOf,
  namesOf,
  NOW,
  packetNumber,
  perName,
  quoteJson,
  quoteTable,
  quoteText,
  sorted,
  type Packet,
} from './fragments.sql.js';
import {
  holderColumns,
  holderFragments,
  holdersOf,
  perHolder,
  perLock,
  SHARED,
  type HolderKey,
} from './holders.sql.js';
import { CHUNK } from './locks.sql.js';

const TURN_TIME = microsecondsOf(TURN);

/** A lease in shared mode that is granted. Times are in microseconds. */
export interface HolderWrite extends HolderKey {
  workerName: string;
  token: number;
  share: Share;
  lockTime: number;
  expireTime: number;
  metadata: LockMetadata | null;
}

/** What becomes of a lock's row. */
export type LockWrite = Omit<HolderWrite, 'share'>;

/** What a transaction writes that has granted locks. */
export interface SharedWrites {
  /** Locks of which no holder may be left. */
  emptied: readonly string[];
  /** Locks that lose those of their holders who keep nobody out any more. */
  cleaned: readonly string[];
  holders: readonly HolderWrite[];
  locks: readonly LockWrite[];
  /** Leases that were there already: in shared mode, and others. */
  repeated: readonly HolderKey[];
  repeatedAlone: readonly string[];
  /** Who may stand in a queue and waits no longer. */
  leaving: readonly HolderKey[];
}

export type SharedStatements = ReturnType<typeof sharedStatements>;

/**
 * The packets about leases in shared mode. They keep to what all packets do (see `lockStatements`), and to this:
 * - the rows of the locks are locked before any row of a holder is read or written, by whoever does so. At READ COMMITTED each statement sees
 *   what was committed when it began; and whoever had the row before has committed before he let it go. So a statement that begins when the row
 *   is locked sees all holders as they are, and they stay so until the commit: permits are never counted by an old snapshot;
 * - each change of a lock's holders also writes its row: on Galera, of two nodes that change the holders of one lock, one is refused when it
 *   commits, though the rows of the holders are different ones;
 * - holders count only while the lock's row says that it is shared. Whoever begins to share a lock takes away all that are left there of before,
 *   live or not by the clock; so none of them comes to life again;
 * - no holder is released, renewed or repeated that was released (`release_time`), though its permits stay taken for a while.
 */
export function sharedStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const holders = quoteTable(tables.holder);
  const waiters = quoteTable(tables.waiter);
  const freeTime = freeTimeOf(clockTolerance);
  const { keptUntil, heldLocks, locksHeld, nextSharer, settle } = holderFragments(tables, clockTolerance);

  const fromLocks = `FROM ${locks} AS lock_row FORCE INDEX (PRIMARY)`;

  /**
   * The locks, with what all who share each take together, the newest of them, and, where it is shared or came free a moment ago, the first who
   * waits for it and is not among those who ask. One statement, so one snapshot: with no row locked, it tells what has really been once.
   */
  const found = (names: string, isAsking: string) => `SELECT
  ${leaseColumns('@now')}, sharers.taken, sharers.first_end, sharers.last_end, sharers.holder_rows, sharers.dead_rows,
  IF(sharers.newest IS NULL, NULL, (
    SELECT CONCAT_WS(' ', holder.lock_time, holder.expire_time, holder.worker_name)
    FROM ${holders} AS holder FORCE INDEX (PRIMARY)
    WHERE holder.lock_name = lock_row.lock_name AND holder.token = sharers.newest
  )) AS newest,
  IF(${freeTime} > @now - ${TURN_TIME}, (
    SELECT CONCAT_WS(
      ' ', waiter.ticket, waiter.grant_id, waiter.server, COALESCE(waiter.permits, '-'), COALESCE(waiter.permit_limit, '-'), waiter.worker_name
    )
    ${aliveWaiters(waiters)} AND NOT (${isAsking})
    ORDER BY waiter.ticket, waiter.grant_id
    LIMIT 1
  ), NULL) AS first
${fromLocks}
LEFT JOIN (
  SELECT
    holder.lock_name AS of_lock,
    SUM(IF(${keptUntil} > @now, holder.permits, 0)) AS taken,
    MIN(IF(${keptUntil} > @now, ${keptUntil}, NULL)) AS first_end,
    MAX(IF(${keptUntil} > @now, holder.expire_time, NULL)) AS last_end,
    MAX(IF(${keptUntil} > @now, holder.token, NULL)) AS newest,
    COUNT(*) AS holder_rows,
    SUM(${keptUntil} <= @now) AS dead_rows
  FROM ${holders} AS holder FORCE INDEX (PRIMARY)
  WHERE holder.lock_name IN (${names})
  GROUP BY holder.lock_name
) AS sharers ON sharers.of_lock = lock_row.lock_name
WHERE lock_row.lock_name IN (${names})`;

  /** Of those who ask, who has the lease already. */
  const own = (keys: readonly HolderKey[]) => `SELECT ${holderColumns('@now')}
FROM ${heldLocks}
WHERE ${holdersOf(keys)}
  AND lock_row.grant_id = ${SHARED} AND holder.release_time IS NULL AND holder.expire_time > @now`;

  /** Leases that nobody released, of locks that are shared, and that keep nobody out any more: who is granted next comes after them. */
  const forgotten = (names: string) => `SELECT holder.lock_name, holder.worker_name, holder.token
FROM ${locksHeld}
WHERE lock_row.lock_name IN (${names})
  AND lock_row.grant_id = ${SHARED} AND holder.release_time IS NULL AND ${keptUntil} <= @now
ORDER BY holder.token`;

  /** All that is to be known before somebody is granted. */
  const states = (keys: readonly HolderKey[]): string[] => {
    const asking = perLock(keys);
    // Of the same lock: one grantId may ask for one and wait for another.
    const isAsking = asking.map(
      ([lockName, grantIds]) =>
        `waiter.lock_name = ${quoteText(lockName)} AND waiter.grant_id IN (${listOf(grantIds)})`,
    );
    return [found(listOf(asking.map(([lockName]) => lockName)), isAsking.join(' OR ')), own(keys)];
  };

  /** Whether a holder keeps nobody out, for so many milliseconds by now. */
  const hasEnded = (retention: number) => `${keptUntil} <= ${CLOCK} - ${microsecondsOf(retention)}`;

  /** Whether a holder's lease is live. */
  const isLive = (since: string) =>
    `lock_row.grant_id = ${SHARED} AND holder.release_time IS NULL AND holder.expire_time > ${since}`;

  return {
    /** What is known of the locks by a plain read, which locks no row. */
    look: (keys: readonly HolderKey[]): Packet => [`SET @now = ${NOW}`, ...states(keys)],

    /**
     * Begins a transaction that may grant locks: inserts the rows that are missing, which locks the others, and tells what is to be known of all.
     * `write` follows, or a rollback, with which the new rows go again.
     * @param alone names of those that are wanted alone, if any
     * @param lookAlone tells of those
     */
    begin(
      keys: readonly HolderKey[],
      alone: readonly string[] = [],
      lookAlone?: (lockNames: readonly string[]) => Packet,
    ): Packet {
      const names = perLock([...keys, ...alone.map((lockName) => ({ lockName, grantId: '' }))]).map(
        ([lockName]) => ({ lockName }),
      );
      const batch = sorted(names);
      return [
        'START TRANSACTION',
        `INSERT INTO ${locks} (lock_name, token, lock_time, expire_time)
VALUES ${batch.map(({ lockName }) => `(${quoteText(lockName)}, 0, 0, 0)`).join(', ')}
ON DUPLICATE KEY UPDATE token = token`,
        lockedRows(locks, namesOf(batch)),
        `SET @now = ${CLOCK}`,
        ...states(keys),
        forgotten(listOf(perLock(keys).map(([lockName]) => lockName))),
        ...(lookAlone ? lookAlone(alone) : []),
      ];
    },

    /**
     * Ends it: writes what was granted, and commits. All is decided, by the rows that `begin` has locked and its `@now`. A holder's row may be
     * there still: of the same grantId, whose lease has run out and keeps others out for a while.
     * @param packet the number that all rows get which are written
     */
    write(
      { emptied, cleaned, holders: granted, locks: written, repeated, repeatedAlone, leaving }: SharedWrites,
      packet: string,
    ): Packet {
      const rows = granted.map((holder) => {
        const texts = [holder.lockName, holder.grantId, holder.workerName].map(quoteText).join(', ');
        const { permits, limit } = holder.share;
        return `(${texts}, ${holder.token}, ${permits}, ${limit ?? 'NULL'}, ${holder.lockTime}, ${holder.expireTime}, NULL, ${quoteJson(holder.metadata)}, ${packet})`;
      });
      const updated = [
        'worker_name',
        'token',
        'permits',
        'permit_limit',
        'lock_time',
        'expire_time',
        'release_time',
        'metadata',
        'row_version',
      ].map((column) => `${column} = VALUES(${column})`);
      const touched = [...perLock(repeated).map(([lockName]) => lockName), ...repeatedAlone];
      return [
        ...(emptied.length > 0 ? [`DELETE FROM ${holders} WHERE lock_name IN (${listOf(emptied)})`] : []),
        ...(cleaned.length > 0
          ? [
              `DELETE holder FROM ${holders} AS holder WHERE holder.lock_name IN (${listOf(cleaned)}) AND ${keptUntil} <= @now`,
            ]
          : []),
        ...(rows.length > 0
          ? [
              `INSERT INTO ${holders}
  (lock_name, grant_id, worker_name, token, permits, permit_limit, lock_time, expire_time, release_time, metadata, row_version)
VALUES ${rows.join(',\n  ')}
ON DUPLICATE KEY UPDATE ${updated.join(', ')}`,
            ]
          : []),
        ...(repeated.length > 0
          ? [
              `UPDATE ${holders} AS holder FORCE INDEX (PRIMARY) SET row_version = ${packet} WHERE ${holdersOf(repeated)}`,
            ]
          : []),
        ...(touched.length > 0
          ? [
              `UPDATE ${locks} FORCE INDEX (PRIMARY) SET row_version = ${packet} WHERE lock_name IN (${listOf(touched)})`,
            ]
          : []),
        ...(written.length > 0
          ? [
              `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET
  row_version = ${packet},
  lock_time = ${perName(written, ({ lockTime }) => lockTime)},
  token = ${perName(written, ({ token }) => token)},
  expire_time = ${perName(written, ({ expireTime }) => expireTime)},
  worker_name = ${perName(written, ({ workerName }) => quoteText(workerName))},
  grant_id = ${perName(written, ({ grantId }) => quoteText(grantId))},
  metadata = ${perName(written, ({ metadata }) => quoteJson(metadata))}
WHERE lock_name IN (${namesOf(written)})`,
            ]
          : []),
        ...(leaving.length > 0
          ? [
              `DELETE waiter
FROM ${waiters} AS waiter FORCE INDEX (PRIMARY)
WHERE ${perLock(leaving)
                .map(
                  ([lockName, grantIds]) =>
                    `(waiter.lock_name = ${quoteText(lockName)} AND waiter.grant_id IN (${listOf(grantIds)}))`,
                )
                .join('\n  OR ')}`,
            ]
          : []),
        'COMMIT',
      ];
    },

    /**
     * Renews leases that are live once the rows of their locks are locked, and tells of those and of the clock. Never shortens one. Keys are
     * unique.
     */
    renew(requests: readonly RenewRequest[]): Packet {
      const batch = sorted(requests);
      const names = listOf(perLock(batch).map(([lockName]) => lockName));
      const packet = packetNumber();
      return [
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `UPDATE ${heldLocks}
SET
  holder.row_version = ${packet},
  holder.expire_time = GREATEST(holder.expire_time, @now + ${perHolder(batch, ({ ttl }) => microsecondsOf(ttl))})
WHERE ${holdersOf(batch)} AND ${isMeant(batch)} AND ${isLive('@now')}`,
        `UPDATE ${locks} AS lock_row FORCE INDEX (PRIMARY)
STRAIGHT_JOIN (
  SELECT holder.lock_name, MAX(holder.expire_time) AS last_end
  FROM ${holders} AS holder FORCE INDEX (PRIMARY)
  WHERE ${holdersOf(batch)} AND holder.row_version = ${packet}
  GROUP BY holder.lock_name
) AS renewed ON renewed.lock_name = lock_row.lock_name
SET lock_row.row_version = ${packet}, lock_row.expire_time = GREATEST(lock_row.expire_time, renewed.last_end)
WHERE lock_row.lock_name IN (${names})`,
        `SELECT ${holderColumns('@now')}
FROM ${holders} AS holder FORCE INDEX (PRIMARY)
WHERE ${holdersOf(batch)} AND holder.row_version = ${packet}`,
        'COMMIT',
        'SELECT @now AS server_time',
      ];
    },

    /**
     * Ends leases, with `minHold` so that their permits stay taken for a while, and with `version` only what nobody has written since. Tells of the
     * leases that were ended, who waits for each lock, and the clock. Whether one is live is decided by the clock when the packet begins, as with
     * exclusive leases: what is still there by then has been nobody else's. Keys are unique.
     */
    release(requests: readonly ReleaseByGrant[]): Packet {
      const batch = sorted(requests);
      const names = listOf(perLock(batch).map(([lockName]) => lockName));
      const packet = packetNumber();
      const isEnded = `${holdersOf(batch)} AND ${isUnchanged(batch)} AND ${isLive('@begun')}`;
      const kept = batch.filter(({ minHold = 0 }) => minHold > 0);
      const keptTime = () =>
        `holder.lock_time + ${perHolder(kept, ({ minHold }) => microsecondsOf(minHold!))}`;
      return [
        `SET @begun = ${NOW}`,
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        // Only these locks are settled: of others, whose leases are lost, it is still to be told that they have expired. And what follows goes by
        // this: where a node of Galera has given the transaction up, nothing is ended, and all is done again.
        `UPDATE ${heldLocks} SET lock_row.row_version = ${packet} WHERE ${isEnded}`,
        `SELECT holder.lock_name, holder.grant_id FROM ${heldLocks} WHERE ${isEnded}`,
        ...(kept.length > 0
          ? [
              `UPDATE ${heldLocks}
SET
  holder.row_version = ${packet},
  holder.release_time = @now,
  holder.expire_time = ${keptTime()},
  holder.grant_id = ${nobodysKey(packetNumber())}
WHERE ${holdersOf(kept)} AND ${isUnchanged(kept)} AND ${isLive('@begun')} AND lock_row.row_version = ${packet}
  AND ${keptTime()} > @now`,
            ]
          : []),
        `DELETE holder FROM ${heldLocks} WHERE ${isEnded} AND lock_row.row_version = ${packet}`,
        settle(names, packet),
        `SELECT lock_row.lock_name, ${nextSharer(listOf(batch.map(({ grantId }) => grantId)))} AS next
${fromLocks}
WHERE lock_row.lock_name IN (${names}) AND lock_row.row_version = ${packet}`,
        'COMMIT',
        'SELECT @now AS server_time',
      ];
    },

    /**
     * Turns exclusive leases that are live once their rows are locked into shared ones, and tells of them and the clock; also of those that were
     * turned before, whose locks bear the packet's number as a negative. Names are unique.
     */
    downgrade(requests: readonly DowngradeRequest[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const grantId = (lockName: string) => perName(batch, (request) => quoteText(request.grantId), lockName);
      return [
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `UPDATE ${heldLocks}
SET holder.row_version = ${packet}, lock_row.row_version = -${packet}
WHERE ${holdersOf(batch)} AND ${isLive('@now')}`,
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET row_version = ${packet}, token = GREATEST(token + 1, @now), grant_id = ${SHARED}
WHERE lock_name IN (${names}) AND grant_id = ${grantId('lock_name')} AND expire_time > @now`,
        `DELETE holder FROM ${locksHeld} WHERE lock_row.lock_name IN (${names}) AND lock_row.row_version = ${packet}`,
        `INSERT INTO ${holders}
  (lock_name, grant_id, worker_name, token, permits, permit_limit, lock_time, expire_time, metadata, row_version)
SELECT
  lock_name, ${grantId('lock_name')}, worker_name, token,
  ${perName(batch, ({ share }) => share.permits)}, ${perName(batch, ({ share }) => share.limit ?? 'NULL')},
  lock_time, expire_time, metadata, ${packet}
FROM ${locks} FORCE INDEX (PRIMARY)
WHERE lock_name IN (${names}) AND row_version = ${packet}`,
        `SELECT
  ${holderColumns('@now')}, lock_row.row_version = -${packet} AS repeated,
  ${nextSharer(grantId('lock_row.lock_name'))} AS next
FROM ${heldLocks}
WHERE ${holdersOf(batch)} AND lock_row.row_version IN (${packet}, -${packet})`,
        'COMMIT',
        'SELECT @now AS server_time',
      ];
    },

    /**
     * A chunk of the locks that have holders, in the order of names: the last name of it, and those of which some holders may be removed. No row
     * is locked.
     * @param after the name to begin behind, or ''
     */
    endedAfter(after: string, retention: number): Packet {
      const chunk = `FROM ${holders} AS holder FORCE INDEX (PRIMARY)
  WHERE holder.lock_name > ${quoteText(after)}
  GROUP BY holder.lock_name
  ORDER BY holder.lock_name
  LIMIT ${CHUNK}`;
      return [
        `SELECT MAX(lock_name) AS last
FROM (
  SELECT holder.lock_name ${chunk}
) AS chunk`,
        `SELECT lock_name
FROM (
  SELECT holder.lock_name, MAX(${hasEnded(retention)}) AS is_meant ${chunk}
) AS chunk
WHERE is_meant`,
      ];
    },

    /**
     * Removes those of the locks' holders whose leases have been over for so many milliseconds. Their locks' rows are not locked: such a holder
     * keeps nobody out, and nothing makes it live again. Tells how many.
     */
    removeEnded: (lockNames: readonly string[], retention: number): Packet => [
      `DELETE holder FROM ${holders} AS holder WHERE holder.lock_name IN (${listOf(lockNames)}) AND ${hasEnded(retention)}`,
      'SELECT ROW_COUNT() AS count',
    ],
  };
}

/** Whether a holder has the token that each request says, where it says one. */
function isMeant(batch: readonly RenewRequest[]): string {
  const known = batch.filter(({ held }) => held);
  if (known.length === 0) return 'TRUE';
  const unknown = batch.filter(({ held }) => !held);
  // One text each: a list of texts is searched by halves, a list of pairs from its beginning.
  const texts = known.map(({ lockName, grantId, held }) => `${held!.fencingToken} ${grantId} ${lockName}`);
  const hasToken = `CONCAT_WS(' ', holder.token, holder.grant_id, holder.lock_name) IN (${listOf(texts)})`;
  return unknown.length === 0 ? hasToken : `(${hasToken} OR ${holdersOf(unknown)})`;
}

/** Whether nobody has written a holder's row since, where a request says so. */
function isUnchanged(batch: readonly ReleaseByGrant[]): string {
  if (batch.every(({ version }) => version === undefined)) return 'TRUE';
  const version = perHolder(batch, (request) =>
    request.version === undefined ? 'NULL' : quoteText(request.version),
  );
  return `CAST(holder.row_version AS CHAR) = COALESCE(${version}, CAST(holder.row_version AS CHAR))`;
}

/** A key that nobody knows, another one for each holder, for a lease that was released and whose permits stay taken. */
function nobodysKey(secret: string): string {
  const hex = `LEFT(SHA2(CONCAT(holder.lock_name, ' ', holder.grant_id, ' ', ${secret}), 256), 32)`;
  return `INSERT(INSERT(INSERT(INSERT(${hex}, 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-')`;
}

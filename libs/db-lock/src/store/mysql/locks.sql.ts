import type { AcquireRequest, RenewRequest } from '../../lease/requests.js';
import type { TableNames } from '../table-names.js';
import { TURN, type PassRequest } from '../wait-queue.js';
import {
  aliveWaiters,
  CLOCK,
  freeTime as freeTimeOf,
  leaseColumns,
  listOf,
  lockedRows,
  microsecondsOf,
  namesOf,
  nextInLine,
  NOBODY,
  NOW,
  packetNumber,
  perName,
  quoteJson,
  quoteTable,
  quoteText,
  sorted,
  type Packet,
} from './fragments.sql.js';
import { SHARED } from './holders.sql.js';

/** Every packet of a store. */
export type LockStatements = ReturnType<typeof lockStatements>;

/** A release of one lease. */
export interface Ending {
  lockName: string;
  grantId: string;
  minHold?: number;
  version?: string;
}

/** How long a lock that came free is kept for the first in its queue, in microseconds. */
const TURN_TIME = microsecondsOf(TURN);

/** The most waiters that sort behind everybody: who stands in no queue has waited for no time. */
const NO_TICKET = '9223372036854775807';

/**
 * MySQL 8.0.19 and later, MariaDB 10.6 and later. What all packets keep to:
 * - each begins and ends its own transaction, at READ COMMITTED; after an error it is rolled back;
 * - names in byte order, so that two batches lock rows in the same order, and the locks' rows before the waiters';
 * - `CLOCK` is read after the row is locked; NOW() would be the statement's start, and a lease granted by it may lie in the past;
 * - assignments run from left to right: the first one decides and writes the packet's number, the others go by that;
 * - never RETURNING: on Galera its rows are sent before the nodes agree.
 * @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end
 */
export function lockStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const waiters = quoteTable(tables.waiter);
  const freeTime = freeTimeOf(clockTolerance);

  const named = (names: string) => `lock_name IN (${names})`;

  /** By the primary key, whatever the optimizer makes of a small table. */
  const fromLocks = `FROM ${locks} AS lock_row FORCE INDEX (PRIMARY)`;

  /**
   * The locks as a plain read sees them, which locks no row. Of one that came free a moment ago, `first` tells who has waited longest: a
   * ticket, a grantId and a name, with spaces between.
   */
  const look = (names: string, condition = '') => `SELECT
  ${leaseColumns(NOW)},
  IF(
    (grant_id IS NULL OR ${freeTime} <= ${NOW}) AND ${freeTime} > ${NOW} - ${TURN_TIME},
    (
      SELECT CONCAT_WS(' ', waiter.ticket, waiter.grant_id, waiter.worker_name)
      ${aliveWaiters(waiters)}
      ORDER BY waiter.ticket, waiter.grant_id
      LIMIT 1
    ),
    NULL
  ) AS first
${fromLocks}
WHERE ${condition}${named(names)}`;

  /**
   * What this packet has granted, or found granted to the same grantId before: then `repeated`. Read within the transaction, so nobody can
   * have written the rows since.
   */
  const grantedRows = (names: string, packet: string) => `SELECT
  ${leaseColumns(CLOCK)}, row_version AS version, row_version = -${packet} AS repeated
${fromLocks}
WHERE ${named(names)} AND row_version IN (${packet}, -${packet})`;

  /** Who has got a lock waits no longer: its place in the queue goes with the grant. */
  const leaveQueue = (names: string, packet: string) => `DELETE waiter
FROM ${locks} AS lock_row FORCE INDEX (PRIMARY)
STRAIGHT_JOIN ${waiters} AS waiter FORCE INDEX (PRIMARY)
  ON waiter.lock_name = lock_row.lock_name AND waiter.grant_id = lock_row.grant_id
WHERE lock_row.lock_name IN (${names}) AND lock_row.row_version IN (${packet}, -${packet})`;

  const clock = `SELECT ${NOW} AS server_time`;

  return {
    /**
     * A shortcut of `grant`: takes the locks that were released and are kept for nobody, by one UPDATE that touches no index. Tells of what
     * it took, and of all as a plain read sees them where that was not all.
     */
    acquireReleased(requests: readonly AcquireRequest[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      return [
        'START TRANSACTION',
        `UPDATE ${locks} AS lock_row FORCE INDEX (PRIMARY)
SET
  row_version = ${packet},
  lock_time = ${CLOCK},
  token = GREATEST(token + 1, lock_time),
  expire_time = lock_time + ${perName(batch, ({ ttl }) => microsecondsOf(ttl))},
  worker_name = ${perName(batch, ({ workerName }) => quoteText(workerName))},
  grant_id = ${perName(batch, ({ grantId }) => quoteText(grantId))},
  metadata = ${perName(batch, ({ metadata }) => quoteJson(metadata))}
WHERE ${named(names)}
  AND grant_id IS NULL
  AND (expire_time <= ${CLOCK} - ${TURN_TIME} OR NOT EXISTS (SELECT 1 ${aliveWaiters(waiters)}))`,
        `SET @taken = ROW_COUNT()`,
        // All else follows from that, and from what was asked for.
        `SELECT lock_row.lock_name, token, lock_time, row_version AS version
${fromLocks}
WHERE ${named(names)} AND row_version = ${packet}`,
        'COMMIT',
        look(names, `@taken < ${batch.length} AND `),
      ];
    },

    /** Whose the locks are, and for whom they are kept. */
    look: (lockNames: readonly string[]): Packet => [look(listOf(lockNames))],

    /**
     * Grants what is free once its row is locked, and tells of that only. ON DUPLICATE KEY UPDATE decides by the row as it is then, so that of
     * those who insert the first row of a name, all but one find it held. A live lease of the same grant stays as it is and gets another packet's
     * number. Who loses changes nothing. In VALUES, columns are those set before them.
     * @param isQueued some wait in a queue, which they leave
     */
    grant(requests: readonly AcquireRequest[], isQueued: boolean): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const isGranted = `row_version = ${packet}`;
      const rows = batch.map(({ lockName, workerName, grantId, ttl, metadata }) => {
        const texts = [lockName, workerName, grantId].map(quoteText).join(', ');
        return `(${texts}, ${packet}, ${CLOCK}, lock_time, lock_time + ${microsecondsOf(ttl)}, ${quoteJson(metadata)})`;
      });
      return [
        'START TRANSACTION',
        `INSERT INTO ${locks} (lock_name, worker_name, grant_id, row_version, lock_time, token, expire_time, metadata)
VALUES ${rows.join(',\n  ')}
ON DUPLICATE KEY UPDATE
  row_version = CASE
    WHEN grant_id IS NULL OR ${freeTime} <= ${CLOCK} THEN ${packet}
    WHEN grant_id = VALUES(grant_id) THEN IF(expire_time > ${CLOCK}, -${packet}, ${packet})
    ELSE row_version
  END,
  lock_time = IF(${isGranted}, ${CLOCK}, lock_time),
  token = IF(${isGranted}, GREATEST(token + 1, lock_time), token),
  expire_time = IF(${isGranted}, lock_time + VALUES(expire_time) - VALUES(lock_time), expire_time),
  worker_name = IF(${isGranted}, VALUES(worker_name), worker_name),
  grant_id = IF(${isGranted}, VALUES(grant_id), grant_id),
  metadata = IF(${isGranted}, VALUES(metadata), metadata)`,
        grantedRows(names, packet),
        ...(isQueued ? [leaveQueue(names, packet)] : []),
        'COMMIT',
      ];
    },

    /**
     * All or none. Missing rows are inserted with the token 0, which locks the others; then it shows whether nobody else has any, and
     * only then one is written. Otherwise the new rows go again, and nothing is told.
     */
    grantSet(requests: readonly AcquireRequest[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const isGranted = `row_version = ${packet}`;
      const grantId = perName(batch, (request) => quoteText(request.grantId));
      return [
        'START TRANSACTION',
        `INSERT INTO ${locks} (lock_name, token, lock_time, expire_time)
VALUES ${batch.map(({ lockName }) => `(${quoteText(lockName)}, 0, 0, 0)`).join(', ')}
ON DUPLICATE KEY UPDATE token = token`,
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `SELECT COUNT(*) = ${batch.length} INTO @all_free
${fromLocks}
WHERE ${named(names)} AND (grant_id IS NULL OR ${freeTime} <= @now OR grant_id = ${grantId})`,
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET
  row_version = IF(grant_id = ${grantId} AND expire_time > @now, -${packet}, ${packet}),
  lock_time = IF(${isGranted}, @now, lock_time),
  token = IF(${isGranted}, GREATEST(token + 1, @now), token),
  expire_time = IF(${isGranted}, @now + ${perName(batch, ({ ttl }) => microsecondsOf(ttl))}, expire_time),
  worker_name = IF(${isGranted}, ${perName(batch, ({ workerName }) => quoteText(workerName))}, worker_name),
  metadata = IF(${isGranted}, ${perName(batch, ({ metadata }) => quoteJson(metadata))}, metadata),
  grant_id = ${grantId}
WHERE @all_free = 1 AND ${named(names)}`,
        `DELETE FROM ${locks} WHERE @all_free = 0 AND ${named(names)} AND token = 0`,
        grantedRows(names, packet),
        leaveQueue(names, packet),
        'COMMIT',
      ];
    },

    /**
     * Renews leases that are live once their rows are locked, and tells of those and of the clock. Never shortens one: a renewal that was
     * given up for lost and runs late must not cut off what a later one has promised.
     */
    renew(requests: readonly RenewRequest[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      return [
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET
  row_version = ${packet},
  expire_time = GREATEST(expire_time, @now + ${perName(batch, ({ ttl }) => microsecondsOf(ttl))})
WHERE ${named(names)}
  AND grant_id = ${perName(batch, ({ grantId }) => quoteText(grantId))}
  AND token = COALESCE(${perName(batch, ({ held }) => held?.fencingToken ?? 'NULL')}, token)
  AND expire_time > @now`,
        `SELECT ${leaseColumns('@now')}
${fromLocks}
WHERE ${named(names)} AND row_version = ${packet}`,
        'COMMIT',
        'SELECT @now AS server_time',
      ];
    },

    /**
     * A shortcut of `release`: ends leases in any state, and frees their locks at once. Its UPDATE may pass over a row that a renewal is writing,
     * and whose former end has come: what is not told as ended is to be asked of `release`, which waits for such rows. Tells of the leases that
     * were ended and who waits for each, where anybody waits at all or not all were ended; and of the clock.
     */
    releaseAtOnce(requests: readonly Ending[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const grantId = (lockName: string) => perName(batch, (request) => quoteText(request.grantId), lockName);
      return [
        `SET @now = ${NOW}`,
        'START TRANSACTION',
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET worker_name = NULL, metadata = NULL, grant_id = NULL, expire_time = @now, row_version = ${packet}
WHERE ${named(names)} AND grant_id = ${grantId('lock_name')} AND expire_time > @now`,
        'SET @ended = ROW_COUNT()',
        `SELECT lock_name, ${nextInLine(waiters, grantId('lock_row.lock_name'))} AS next
${fromLocks}
WHERE (@ended < ${batch.length} OR EXISTS (SELECT 1 FROM ${waiters})) AND ${named(names)} AND row_version = ${packet}`,
        'COMMIT',
        'SELECT @now AS server_time, @ended AS ended',
      ];
    },

    /**
     * Ends leases, with `minHold` so that the lock stays taken by nobody for a while, and with `version` only what nobody has written since. Tells of
     * the leases that were ended and who waits for each, and of the clock. Whether one is live is decided by the clock when the packet
     * begins, however long it waits for the row: nobody else can have got the lock of a lease that was live then and is still there.
     */
    release(requests: readonly Ending[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const grantId = (lockName: string) => perName(batch, (request) => quoteText(request.grantId), lockName);
      const minHold = perName(batch, (request) => microsecondsOf(request.minHold ?? 0));
      const version = perName(batch, (request) =>
        request.version === undefined ? 'NULL' : quoteText(request.version),
      );
      const staysTaken = `${minHold} > 0 AND lock_time + ${minHold} > @now`;
      return [
        `SET @now = ${NOW}`,
        'START TRANSACTION',
        lockedRows(locks, names),
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET
  worker_name = IF(${staysTaken}, worker_name, NULL),
  metadata = IF(${staysTaken}, metadata, NULL),
  grant_id = IF(${staysTaken}, ${NOBODY}, NULL),
  expire_time = IF(${staysTaken}, lock_time + ${minHold}, @now),
  row_version = ${packet}
WHERE ${named(names)}
  AND grant_id = ${grantId('lock_name')}
  AND CAST(row_version AS CHAR) = COALESCE(${version}, CAST(row_version AS CHAR))
  AND expire_time > @now`,
        `SELECT lock_name, ${nextInLine(waiters, grantId('lock_row.lock_name'))} AS next
${fromLocks}
WHERE ${named(names)} AND row_version = ${packet}`,
        'COMMIT',
        'SELECT @now AS server_time',
      ];
    },

    /**
     * The grantIds of the workers' exclusive leases, for callers who know none; also of those that look expired: a renewal whose commit is under way may
     * keep them alive.
     */
    grantsOfWorkers: (requests: ReadonlyArray<{ lockName: string; workerName: string }>): Packet => [
      `SELECT lock_name, grant_id
${fromLocks}
WHERE ${named(namesOf(requests))}
  AND worker_name = ${perName(requests, ({ workerName }) => quoteText(workerName))}
  AND grant_id NOT IN (${NOBODY}, ${SHARED})`,
      clock,
    ],

    /**
     * Ends leases and grants their locks to successors, in one step; to nobody where a living waiter of another server has waited longer:
     * such rows bear the packet's number as a negative. Tells of both. A lease is live by the clock when the packet begins, as with `release`.
     */
    pass(server: string, requests: readonly PassRequest[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const passes = `row_version = ${packet}`;
      const ended = (lockName: string) => perName(batch, ({ grantId }) => quoteText(grantId), lockName);
      const ticket = perName(batch, ({ successor }) => successor.ticket ?? NO_TICKET, 'lock_row.lock_name');
      const ofSuccessor = (of: (request: AcquireRequest) => string) =>
        `IF(${passes}, ${perName(batch, ({ successor }) => of(successor))}, NULL)`;
      return [
        `SET @begun = ${NOW}`,
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `UPDATE ${locks} AS lock_row FORCE INDEX (PRIMARY)
SET
  row_version = IF(
    EXISTS (SELECT 1 ${aliveWaiters(waiters)} AND waiter.server <> ${quoteText(server)} AND waiter.ticket < ${ticket}),
    -${packet},
    ${packet}
  ),
  lock_time = IF(${passes}, @now, lock_time),
  token = IF(${passes}, GREATEST(token + 1, @now), token),
  expire_time = IF(${passes}, @now + ${perName(batch, ({ successor }) => microsecondsOf(successor.ttl))}, @now),
  worker_name = ${ofSuccessor(({ workerName }) => quoteText(workerName))},
  metadata = ${ofSuccessor(({ metadata }) => quoteJson(metadata))},
  grant_id = ${ofSuccessor(({ grantId }) => quoteText(grantId))}
WHERE ${named(names)} AND grant_id = ${ended('lock_name')} AND expire_time > @begun`,
        `SELECT
  ${leaseColumns(CLOCK)}, row_version AS version, ${passes} AS passes, ${nextInLine(waiters, ended('lock_row.lock_name'))} AS next
${fromLocks}
WHERE ${named(names)} AND row_version IN (${packet}, -${packet})`,
        leaveQueue(names, packet),
        'COMMIT',
      ];
    },

    /**
     * A chunk of the table, in the order of names: the last name of it, and those of locks that may be removed. No row is locked.
     * @param after the name to begin behind, or ''
     * @param retention for how many milliseconds nobody may have used a lock
     */
    idleAfter: (after: string, retention: number): Packet => chunkAfter(locks, after, isIdle(retention)),

    /** Removes those of the locks that nobody has used meanwhile. Tells how many. */
    removeIdle: (lockNames: readonly string[], retention: number): Packet => [
      `DELETE FROM ${locks} WHERE ${named(listOf(lockNames))} AND ${isIdle(retention)}`,
      'SELECT ROW_COUNT() AS count',
    ],

    clock: [clock] as Packet,

    ping: ['SELECT 1 AS pong'] as Packet,
  };
}

/** Nobody has used the lock for so long, and its token does not run ahead of the clock: without its row, the next token is a greater one. */
export function isIdle(retention: number): string {
  const then = `${CLOCK} - ${microsecondsOf(retention)}`;
  return `expire_time <= ${then} AND token < ${then}`;
}

/** Rows of a table that one packet goes through: some milliseconds. */
export const CHUNK = 2_000;

/** The rows behind a name, so many of them: the last name, and the names of those for which something holds. */
export function chunkAfter(locks: string, after: string, condition: string): Packet {
  const chunk = `FROM ${locks} FORCE INDEX (PRIMARY)
  WHERE lock_name > ${quoteText(after)}
  ORDER BY lock_name
  LIMIT ${CHUNK}`;
  return [
    `SELECT MAX(lock_name) AS last
FROM (
  SELECT lock_name ${chunk}
) AS chunk`,
    `SELECT lock_name
FROM (
  SELECT lock_name, ${condition} AS is_meant ${chunk}
) AS chunk
WHERE is_meant`,
  ];
}

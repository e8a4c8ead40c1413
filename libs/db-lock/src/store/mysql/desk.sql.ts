import type { LockMetadata } from '../../lease/metadata.js';
import type {
  EditRequest,
  ForceReleaseRequest,
  HoldRequest,
  ListQuery,
  LockFilter,
  SortField,
} from '../lock-desk.js';
import { meantToken } from '../lock-desk.js';
import { MAX_HOLDERS_SHOWN, MAX_QUEUE_SHOWN, MIN_IDLE } from '../lock-store.js';
import type { TableNames } from '../table-names.js';
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
  NOW,
  packetNumber,
  perName,
  quoteJson,
  quoteNullable,
  quoteTable,
  quoteText,
  sorted,
  stateAt,
  waiterCounts,
  type Packet,
} from './fragments.sql.js';
import { HOLDER_DETAILS, holderColumns, holderFragments, SHARED } from './holders.sql.js';
import { chunkAfter, isIdle } from './locks.sql.js';

const SORT_COLUMNS: Record<SortField, string> = {
  lockName: 'lock_row.lock_name',
  // Of a lock that was released, it may still be written whose it was.
  workerName: `CASE WHEN ${stateAt(NOW)} <> 'released' THEN worker_name END`,
  lockTime: 'lock_time',
  expireTime: 'expire_time',
  fencingToken: 'token',
  waiting: 'COALESCE(queue.waiting, 0)',
};

/** A time as JSON says it. */
const isoTime = (time: string) =>
  `CONCAT(LEFT(DATE_FORMAT(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ${time} MICROSECOND, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')`;

/**
 * What an edit is recorded with, of the lease at hand as it was.
 * @param changed what the metadata were and are; null where they stay
 */
function editDetails(
  ttl: number | undefined,
  changed: { from: LockMetadata | null; to: LockMetadata | null } | null,
): string {
  const expireTime =
    ttl === undefined
      ? []
      : [
          `'"expireTime":{"from":"', ${isoTime('expire_time')}, '","to":"', ${isoTime(`@now + ${microsecondsOf(ttl)}`)}, '"}'`,
        ];
  const metadata = changed ? [quoteText(`"metadata":${JSON.stringify(changed)}`)] : [];
  return `CONCAT(${["'{'", [...expireTime, ...metadata].join(`, ',', `) || "''", "'}'"].join(', ')})`;
}

export type DeskStatements = ReturnType<typeof deskStatements>;

/**
 * The packets of those who look at locks, and act on them, from outside. What they do is recorded in the same transaction: rows are marked with the
 * packet's number once they are locked, and what bears it is recorded and changed.
 * @param clockTolerance for how many milliseconds a lease that was not released keeps others out after its end
 */
export function deskStatements(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);
  const waiters = quoteTable(tables.waiter);
  const holders = quoteTable(tables.holder);
  const freeTime = freeTimeOf(clockTolerance);
  const { keptUntil, ofLock, heldLocks, locksHeld, sharing, nextSharer, settle } = holderFragments(
    tables,
    clockTolerance,
  );

  const fromLocks = `FROM ${locks} AS lock_row FORCE INDEX (PRIMARY)`;

  /** Whether a lock keeps others out: by a live lease, or by one that has just run out. */
  const isTaken = (now: string) => `grant_id IS NOT NULL AND ${freeTime} > ${now}`;

  /** Marks the rows for which something holds, by their state under the row lock. */
  const mark = (names: string, packet: string, condition: string) => `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET row_version = ${packet}
WHERE lock_name IN (${names}) AND ${condition}`;

  /** Whether a holder's lease is live. */
  const isLiveHolder = (now: string) =>
    `lock_row.grant_id = ${SHARED} AND holder.release_time IS NULL AND holder.expire_time > ${now}`;

  const isMarked = (names: string, packet: string) => `lock_name IN (${names}) AND row_version = ${packet}`;

  /** What happened to locks as they are now. All but their names are expressions. */
  const record = (
    {
      event,
      actor,
      reason,
      grantId = 'grant_id',
      details = 'NULL',
    }: Record<'event' | 'actor' | 'reason', string> & {
      grantId?: string;
      details?: string;
    },
    where: string,
  ) => `INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, actor, reason, details, event_time)
SELECT lock_name, '${event}', worker_name, ${grantId}, token, ${actor}, ${reason}, ${details}, ${CLOCK}
FROM ${locks} FORCE INDEX (PRIMARY)
WHERE ${where}
ORDER BY lock_name`;

  /** What happened to leases in shared mode that bear a packet's number, or its negative. All but the event are expressions. */
  const recordHolders = (
    { event, actor, reason, details }: Record<'event' | 'actor' | 'reason' | 'details', string>,
    names: string,
    number: string,
  ) => `INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, actor, reason, details, event_time)
SELECT
  holder.lock_name, '${event}', holder.worker_name, holder.grant_id, holder.token, ${actor}, ${reason}, ${details}, ${CLOCK}
FROM ${holders} AS holder FORCE INDEX (PRIMARY)
WHERE holder.lock_name IN (${names}) AND holder.row_version = ${number}
ORDER BY holder.lock_name, holder.token`;

  const matching = ({ search, state, prefix }: LockFilter): string => {
    const conditions = ['TRUE'];
    if (search) {
      const wanted = `LOWER(${quoteText(search)})`;
      conditions.push(
        `(INSTR(LOWER(lock_row.lock_name), ${wanted}) > 0 OR INSTR(LOWER(worker_name), ${wanted}) > 0
    OR (lock_row.grant_id = ${SHARED} AND EXISTS (
      SELECT 1 ${ofLock} AND holder.expire_time > ${NOW} AND INSTR(LOWER(holder.worker_name), ${wanted}) > 0)))`,
      );
    }
    if (state === 'contended') conditions.push('queue.waiting > 0');
    else if (state) conditions.push(`${stateAt(NOW)} = '${state}'`);
    if (prefix)
      conditions.push(`LEFT(lock_row.lock_name, CHAR_LENGTH(${quoteText(prefix)})) = ${quoteText(prefix)}`);
    return conditions.join('\n  AND ');
  };

  /** The locks with how many wait for each. */
  const contendedLocks = `FROM ${locks} AS lock_row
LEFT JOIN (
  ${waiterCounts(waiters)}
) AS queue ON queue.lock_name = lock_row.lock_name`;

  const waiting = 'COALESCE(queue.waiting, 0) AS waiting';

  /** Locks as operators see them, with how many wait for each. */
  const looked = (names: string) => `SELECT
  ${stateAt(NOW)} AS state,
  (SELECT COUNT(*) ${aliveWaiters(waiters)}) AS waiting,
  ${leaseColumns(NOW)},
  ${sharing(NOW)}
${fromLocks}
WHERE lock_name IN (${names})`;

  return {
    /** The locks, then the first of those who wait for each, and the oldest of those who share it. */
    inspect(lockNames: readonly string[]): Packet {
      const names = listOf(lockNames);
      return [
        looked(names),
        `SELECT lock_name, worker_name, ticket, permits, permit_limit
FROM (
  SELECT
    lock_name, worker_name, ticket, permits, permit_limit,
    ROW_NUMBER() OVER (PARTITION BY lock_name ORDER BY ticket, grant_id) AS place
  FROM ${waiters}
  WHERE lock_name IN (${names}) AND alive_until > ${NOW}
) AS queue
WHERE place <= ${MAX_QUEUE_SHOWN}
ORDER BY lock_name, place`,
        `SELECT lock_name, worker_name, token, lock_time, expire_time, metadata, permits, permit_limit
FROM (
  SELECT
    ${holderColumns(NOW)},
    ROW_NUMBER() OVER (PARTITION BY holder.lock_name ORDER BY holder.token) AS place
  FROM ${locksHeld}
  WHERE lock_row.lock_name IN (${names}) AND lock_row.grant_id = ${SHARED} AND holder.expire_time > ${NOW}
) AS sharers
WHERE place <= ${MAX_HOLDERS_SHOWN}
ORDER BY lock_name, place`,
      ];
    },

    look: (lockNames: readonly string[]): Packet => [looked(listOf(lockNames))],

    list: ({ sort, order, page, pageSize, ...filter }: ListQuery): Packet => [
      `SELECT ${stateAt(NOW)} AS state, ${waiting}, ${leaseColumns(NOW)}, ${sharing(NOW)}
${contendedLocks}
WHERE ${matching(filter)}
ORDER BY ${SORT_COLUMNS[sort]} IS NULL, ${SORT_COLUMNS[sort]} ${order}, lock_row.lock_name
LIMIT ${pageSize} OFFSET ${(page - 1) * pageSize}`,
    ],

    /** By name. @param after the name to begin behind, or '' */
    listAfter: (filter: LockFilter, after: string, limit: number): Packet => [
      `SELECT ${stateAt(NOW)} AS state, ${waiting}, ${leaseColumns(NOW)}, ${sharing(NOW)}
${contendedLocks}
WHERE ${matching(filter)} AND lock_row.lock_name > ${quoteText(after)}
ORDER BY lock_row.lock_name
LIMIT ${limit}`,
    ],

    count: (filter: LockFilter): Packet => [
      `SELECT COUNT(*) AS total
${contendedLocks}
WHERE ${matching(filter)}`,
    ],

    /** Names by what they have in common up to the next ':' after the prefix. */
    groups(filter: LockFilter, limit: number): Packet {
      const colon = `LOCATE(':', lock_row.lock_name, CHAR_LENGTH(${quoteText(filter.prefix ?? '')}) + 1)`;
      return [
        `SELECT
  prefix,
  COUNT(*) AS total,
  SUM(state = 'held') AS held,
  SUM(state = 'expired') AS expired,
  SUM(state = 'released') AS released,
  SUM(waiting) AS waiting
FROM (
  SELECT LEFT(lock_row.lock_name, ${colon}) AS prefix, ${stateAt(NOW)} AS state, ${waiting}
  ${contendedLocks}
  WHERE ${matching(filter)} AND ${colon} > 0
) AS lock_row
GROUP BY prefix
ORDER BY prefix
LIMIT ${limit}`,
      ];
    },

    /** One row a state; how many wait, and for how many locks, is said in each. */
    counts: [
      `SELECT state, COUNT(*) AS total, SUM(waiting > 0) AS contended, SUM(waiting) AS waiting
FROM (
  SELECT ${stateAt(NOW)} AS state, ${waiting}
  ${contendedLocks}
) AS lock_row
GROUP BY state`,
    ] as Packet,

    /**
     * Tells of the locks that were taken, as they were: those that are not `forced` are held by another lease than was meant. The token
     * grows, so that a resource which has seen it refuses the old holder. Then it tells of the leases in shared mode that were ended, the newest
     * first, and who is next for each of their locks. Those bear the packet's number as a negative until they go.
     */
    forceRelease(requests: readonly ForceReleaseRequest[]): Packet {
      const batch = sorted(requests);
      const names = namesOf(batch);
      const packet = packetNumber();
      const isMeant = (row: string, tokenOf: (request: ForceReleaseRequest) => number | undefined) =>
        `${row}.token = COALESCE(${perName(batch, (request) => tokenOf(request) ?? 'NULL', 'lock_row.lock_name')}, ${row}.token)`;
      const isMeantLock = isMeant('lock_row', meantToken);
      const isMeantHolder = isMeant('holder', ({ fencingToken }) => fencingToken);
      const actor = (lockName: string) => perName(batch, (request) => quoteText(request.actor), lockName);
      const reason = (lockName: string) => perName(batch, (request) => quoteText(request.reason), lockName);
      const isEnded = `holder.row_version = -${packet}`;
      return [
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `SELECT ${leaseColumns('@now')}, ${isMeantLock} AS forced, ${nextInLine(waiters, 'lock_row.grant_id')} AS next
${fromLocks}
WHERE lock_name IN (${names}) AND ${isTaken('@now')}`,
        `UPDATE ${locks} AS lock_row FORCE INDEX (PRIMARY)
SET row_version = ${packet}
WHERE lock_name IN (${names}) AND grant_id <> ${SHARED} AND ${isTaken('@now')} AND ${isMeantLock}`,
        record(
          { event: 'forced', actor: actor('lock_name'), reason: reason('lock_name') },
          isMarked(names, packet),
        ),
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET worker_name = NULL, grant_id = NULL, metadata = NULL, expire_time = @now, token = GREATEST(token + 1, @now)
WHERE ${isMarked(names, packet)}`,
        `UPDATE ${locksHeld}
SET holder.row_version = -${packet}
WHERE lock_row.lock_name IN (${names}) AND lock_row.grant_id = ${SHARED} AND ${keptUntil} > @now AND ${isMeantHolder}`,
        `SELECT ${holderColumns('@now')}
FROM ${holders} AS holder FORCE INDEX (PRIMARY)
WHERE holder.lock_name IN (${names}) AND ${isEnded}
ORDER BY holder.token DESC`,
        recordHolders(
          {
            event: 'forced',
            actor: actor('holder.lock_name'),
            reason: reason('holder.lock_name'),
            details: HOLDER_DETAILS,
          },
          names,
          `-${packet}`,
        ),
        `UPDATE ${heldLocks}
SET lock_row.row_version = ${packet}
WHERE holder.lock_name IN (${names}) AND ${isEnded}`,
        settle(names, packet, { makesStale: true }),
        `SELECT lock_row.lock_name, ${nextSharer(`SELECT holder.grant_id ${ofLock} AND ${isEnded}`)} AS next
${fromLocks}
WHERE lock_name IN (${names}) AND EXISTS (SELECT 1 ${ofLock} AND ${isEnded})`,
        `DELETE holder FROM ${holders} AS holder WHERE holder.lock_name IN (${names}) AND ${isEnded}`,
        'COMMIT',
      ];
    },

    /**
     * Takes the lock by hand, past all who wait. Tells first of the expired lease that it comes after, if there is one, which is recorded first;
     * then of the new lease: where there is none, somebody has the lock.
     */
    hold({ lockName, workerName, grantId, ttl, metadata, actor, reason }: HoldRequest): Packet {
      const name = quoteText(lockName);
      const packet = packetNumber();
      const isGranted = `row_version = ${packet}`;
      const isExpired = `lock_name = ${name} AND ${stateAt('@now')} = 'expired' AND NOT (${isTaken('@now')})`;
      const duration = microsecondsOf(ttl);
      const texts = [lockName, workerName, grantId].map(quoteText).join(', ');
      return [
        'START TRANSACTION',
        lockedRows(locks, name),
        `SET @now = ${CLOCK}`,
        `SELECT worker_name, token ${fromLocks} WHERE ${isExpired}`,
        record({ event: 'expired', actor: 'NULL', reason: 'NULL', grantId: 'NULL' }, isExpired),
        `INSERT INTO ${locks} (lock_name, worker_name, grant_id, row_version, lock_time, token, expire_time, metadata)
VALUES (${texts}, ${packet}, ${CLOCK}, lock_time, lock_time + ${duration}, ${quoteJson(metadata)})
ON DUPLICATE KEY UPDATE
  row_version = IF(${isTaken(CLOCK)}, row_version, ${packet}),
  lock_time = IF(${isGranted}, ${CLOCK}, lock_time),
  token = IF(${isGranted}, GREATEST(token + 1, lock_time), token),
  expire_time = IF(${isGranted}, lock_time + ${duration}, expire_time),
  worker_name = IF(${isGranted}, VALUES(worker_name), worker_name),
  grant_id = IF(${isGranted}, VALUES(grant_id), grant_id),
  metadata = IF(${isGranted}, VALUES(metadata), metadata)`,
        record(
          { event: 'created', actor: quoteText(actor), reason: quoteNullable(reason) },
          isMarked(name, packet),
        ),
        `SELECT ${leaseColumns(CLOCK)}, row_version AS version ${fromLocks} WHERE ${isMarked(name, packet)}`,
        'COMMIT',
      ];
    },

    /** The live lease that an edit means, as a plain read sees it: an exclusive one, and then one in shared mode. */
    edited: ({ lockName, fencingToken }: Pick<EditRequest, 'lockName' | 'fencingToken'>): Packet => [
      `SELECT ${leaseColumns(NOW)}, row_version AS version
${fromLocks}
WHERE lock_name = ${quoteText(lockName)} AND token = ${fencingToken} AND grant_id <> ${SHARED} AND expire_time > ${NOW}`,
      `SELECT ${holderColumns(NOW)}
FROM ${locksHeld}
WHERE lock_row.lock_name = ${quoteText(lockName)} AND holder.token = ${fencingToken} AND ${isLiveHolder(NOW)}`,
    ],

    /**
     * Changes the lease that was read, and tells of it; of none where somebody has written the row since.
     * @param seen what tells that state of the row from later ones
     * @param changed what the metadata were and are; null where they stay
     */
    edit(
      { lockName, fencingToken, ttl, metadata, actor, reason }: EditRequest,
      seen: string,
      changed: { from: LockMetadata | null; to: LockMetadata | null } | null,
    ): Packet {
      const name = quoteText(lockName);
      const packet = packetNumber();
      const end = ttl === undefined ? 'expire_time' : `@now + ${microsecondsOf(ttl)}`;
      return [
        'START TRANSACTION',
        lockedRows(locks, name),
        `SET @now = ${CLOCK}`,
        mark(
          name,
          packet,
          `row_version = ${seen} AND token = ${fencingToken} AND grant_id <> ${SHARED} AND expire_time > @now`,
        ),
        record(
          {
            event: 'edited',
            actor: quoteText(actor),
            reason: quoteNullable(reason),
            details: editDetails(ttl, changed),
          },
          isMarked(name, packet),
        ),
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET expire_time = ${end}${metadata === undefined ? '' : `, metadata = ${quoteJson(metadata)}`}
WHERE ${isMarked(name, packet)}`,
        `SELECT ${leaseColumns('@now')}, ${nextInLine(waiters, 'lock_row.grant_id')} AS next
${fromLocks}
WHERE ${isMarked(name, packet)}`,
        'COMMIT',
      ];
    },

    /**
     * The same for a lease in shared mode, which the row of its lock follows.
     * @param seen what tells that state of the lease from later ones
     */
    editHolder(
      { lockName, fencingToken, ttl, metadata, actor, reason }: EditRequest,
      seen: string,
      changed: { from: LockMetadata | null; to: LockMetadata | null } | null,
    ): Packet {
      const name = quoteText(lockName);
      const packet = packetNumber();
      const sets = [
        ...(ttl === undefined ? [] : [`holder.expire_time = @now + ${microsecondsOf(ttl)}`]),
        ...(metadata === undefined ? [] : [`holder.metadata = ${quoteJson(metadata)}`]),
      ];
      return [
        'START TRANSACTION',
        lockedRows(locks, name),
        `SET @now = ${CLOCK}`,
        `UPDATE ${locksHeld}
SET holder.row_version = ${packet}, lock_row.row_version = ${packet}
WHERE lock_row.lock_name = ${name} AND holder.token = ${fencingToken} AND holder.row_version = ${seen} AND ${isLiveHolder('@now')}`,
        recordHolders(
          {
            event: 'edited',
            actor: quoteText(actor),
            reason: quoteNullable(reason),
            details: editDetails(ttl, changed),
          },
          name,
          packet,
        ),
        ...(sets.length > 0
          ? [
              `UPDATE ${holders} AS holder FORCE INDEX (PRIMARY)
SET ${sets.join(', ')}
WHERE holder.lock_name = ${name} AND holder.row_version = ${packet}`,
            ]
          : []),
        settle(name, packet),
        `SELECT ${holderColumns('@now')}, ${nextInLine(waiters, 'holder.grant_id')} AS next
FROM ${locksHeld}
WHERE lock_row.lock_name = ${name} AND holder.row_version = ${packet}`,
        'COMMIT',
      ];
    },

    /** Removes locks that are free, that nobody waits for and that nobody has used for a while; tells their names. */
    deleteReleased(lockNames: readonly string[], actor: string): Packet {
      const names = listOf(lockNames);
      const packet = packetNumber();
      return [
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        `UPDATE ${locks} AS lock_row FORCE INDEX (PRIMARY)
SET row_version = ${packet}
WHERE lock_name IN (${names})
  AND ${stateAt('@now')} = 'released'
  AND ${isIdle(MIN_IDLE)}
  AND NOT EXISTS (SELECT 1 ${aliveWaiters(waiters)})`,
        record({ event: 'deleted', actor: quoteText(actor), reason: 'NULL' }, isMarked(names, packet)),
        `SELECT lock_name ${fromLocks} WHERE ${isMarked(names, packet)}`,
        `DELETE holder FROM ${locksHeld} WHERE lock_row.lock_name IN (${names}) AND lock_row.row_version = ${packet}`,
        `DELETE FROM ${locks} WHERE ${isMarked(names, packet)}`,
        'COMMIT',
      ];
    },

    /** A chunk of the table, in the order of names: the last name of it, and those of locks whose lease has expired. */
    expiredAfter: (after: string): Packet =>
      chunkAfter(locks, after, `(${stateAt(NOW)} = 'expired' AND NOT (${isTaken(NOW)}))`),

    /** Marks those of the locks as released whose lease is still expired; recorded where there is an actor. Tells how many. */
    clearExpired(lockNames: readonly string[], actor: string | undefined): Packet {
      const names = listOf(lockNames);
      const packet = packetNumber();
      return [
        'START TRANSACTION',
        lockedRows(locks, names),
        `SET @now = ${CLOCK}`,
        mark(names, packet, `${stateAt('@now')} = 'expired' AND NOT (${isTaken('@now')})`),
        `SET @cleared = ROW_COUNT()`,
        ...(actor === undefined
          ? []
          : [record({ event: 'cleared', actor: quoteText(actor), reason: 'NULL' }, isMarked(names, packet))]),
        `UPDATE ${locks} FORCE INDEX (PRIMARY)
SET worker_name = NULL, grant_id = NULL, metadata = NULL
WHERE ${isMarked(names, packet)}`,
        'COMMIT',
        'SELECT @cleared AS count',
      ];
    },
  };
}

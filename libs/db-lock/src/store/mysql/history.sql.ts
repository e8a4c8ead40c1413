import { COUNTED, type HistoryEntry, type Tally } from '../history-store.js';
import type { TableNames } from '../table-names.js';
import {
  CLOCK,
  listOf,
  microsecondsOf,
  NOW,
  quoteJson,
  quoteNullable,
  quoteTable,
  quoteText,
  waiterCounts,
  type Packet,
} from './fragments.sql.js';

/** How many rows one packet trims: some milliseconds of work. */
export const TRIM_CHUNK = 5_000;

/** How far back in a lock's history one looks for the beginning of a lease. */
const LOOK_BACK = 100;

const MINUTE = microsecondsOf(60_000);

/** What is counted in a minute, and the minute itself in microseconds. */
const MINUTE_COLUMNS = ['period', ...COUNTED, 'hold_times', 'wait_times', 'contended'].join(', ');

export type HistoryStatements = ReturnType<typeof historyStatements>;

/** A lease of which nothing is said but its grantId. */
export interface UnknownLease {
  lockName: string;
  grantId: string;
}

/** The packets about what has happened. */
export function historyStatements(tables: TableNames) {
  const locks = quoteTable(tables.lock);
  const history = quoteTable(tables.history);
  const waiters = quoteTable(tables.waiter);
  const statistics = quoteTable(tables.statistics);

  return {
    /**
     * A grantId is a key, perhaps to other locks too, or to a lease yet to come: so much of it is told as finds it elsewhere.
     * @param before the time in microseconds and the id to begin before
     */
    of: (lockName: string, limit: number, before?: { time: number; id: number }): Packet => [
      `SELECT
  id, lock_name, event, worker_name, CONCAT(CONVERT(LEFT(grant_id, 8) USING utf8mb4), '…') AS grant_id, token, actor, reason, details, event_time
FROM ${history}
WHERE lock_name = ${quoteText(lockName)}${
        before === undefined
          ? ''
          : ` AND (event_time < ${before.time} OR event_time = ${before.time} AND id < ${before.id})`
      }
ORDER BY event_time DESC, id DESC
LIMIT ${limit}`,
    ],

    /** What is known of the grant of each of these leases, at its place: one row where anything is; and which of the locks there are. */
    known: (leases: readonly UnknownLease[]): Packet => [
      leases
        .map(
          ({ lockName, grantId }, place) => `(
  SELECT ${place} AS place, worker_name, token, event
  FROM (
    SELECT id, event_time, grant_id, worker_name, token, event
    FROM ${history}
    WHERE lock_name = ${quoteText(lockName)}
    ORDER BY event_time DESC, id DESC
    LIMIT ${LOOK_BACK}
  ) AS recent
  WHERE grant_id = ${quoteText(grantId)}
  ORDER BY event_time DESC, id DESC
  LIMIT 1
)`,
        )
        .join('\nUNION ALL\n'),
      `SELECT lock_name FROM ${locks} WHERE lock_name IN (${listOf(leases.map(({ lockName }) => lockName))})`,
    ],

    /** Ages count from the packet's arrival: it may wait for the table. */
    record(entries: readonly HistoryEntry[]): Packet {
      const rows = entries.map((entry) => {
        const { lockName, event, workerName, grantId, fencingToken, details, age, time } = entry;
        const texts = [
          quoteText(lockName),
          quoteText(event),
          quoteNullable(workerName),
          quoteNullable(grantId),
        ];
        const eventTime = time === null ? `@now - ${microsecondsOf(age)}` : microsecondsOf(time);
        return `(${texts.join(', ')}, ${fencingToken ?? 'NULL'}, ${quoteJson(details)}, ${eventTime})`;
      });
      return [
        `SET @now = ${NOW}`,
        `INSERT INTO ${history} (lock_name, event, worker_name, grant_id, token, details, event_time)
VALUES ${rows.join(',\n  ')}`,
      ];
    },

    /** The row of the present minute, which is made where it is missing. */
    minute: [
      `SET @period = ${NOW} DIV ${MINUTE} * ${MINUTE}`,
      `INSERT INTO ${statistics} (period, hold_times, wait_times, contended)
VALUES (@period, '[]', '[]', '{}')
ON DUPLICATE KEY UPDATE period = VALUES(period)`,
      `SELECT ${MINUTE_COLUMNS} FROM ${statistics} WHERE period = @period`,
    ] as Packet,

    /**
     * Adds counts to a minute, and writes what has become of the rest. Tells whether it did: not where somebody has written the row since it
     * was read.
     */
    count: (
      { period, seen }: { period: string; seen: Record<'hold_times' | 'wait_times' | 'contended', string> },
      counts: Tally['counts'],
      sum: Record<'hold' | 'wait' | 'contended', object>,
    ): Packet => [
      `UPDATE ${statistics}
SET
  ${COUNTED.map((column) => `${column} = ${column} + ${counts[column]}`).join(', ')},
  hold_times = ${quoteJson(sum.hold)},
  wait_times = ${quoteJson(sum.wait)},
  contended = ${quoteJson(sum.contended)}
WHERE period = ${period}
  AND hold_times = ${quoteText(seen.hold_times)}
  AND wait_times = ${quoteText(seen.wait_times)}
  AND contended = ${quoteText(seen.contended)}`,
      'SELECT ROW_COUNT() AS count',
    ],

    /** The minutes of the last so many milliseconds, and the clock. */
    minutes: (range: number): Packet => [
      `SELECT ${MINUTE_COLUMNS} FROM ${statistics} WHERE period > ${NOW} - ${microsecondsOf(range)} ORDER BY period`,
      `SELECT ${NOW} AS server_time`,
    ],

    /** Where a look for changes begins, and how many wait for each lock. */
    present: [
      `SELECT COALESCE(MAX(id), 0) AS newest, ${NOW} AS server_time FROM ${history}`,
      waiterCounts(waiters),
    ] as Packet,

    /** What happened since, at most so much of it; and the same as `present`. */
    changes: (cursor: string, limit: number): Packet => [
      `SELECT id, lock_name FROM ${history} WHERE id > ${Number(cursor)} ORDER BY id LIMIT ${limit}`,
      `SELECT COALESCE(MAX(id), 0) AS newest, ${NOW} AS server_time FROM ${history}`,
      waiterCounts(waiters),
    ],

    /**
     * Removes the oldest first, which are those of the lowest ids but for a moment: what is older than so many milliseconds, and what is among
     * more than so many rows. What operators did goes by its age only: nothing else crowds it out. Tells how many.
     */
    trim(retention: number, maxRows: number): Packet {
      const then = `${CLOCK} - ${microsecondsOf(retention)}`;
      return [
        `SELECT MAX(id) INTO @last FROM (SELECT id FROM ${history} ORDER BY id LIMIT ${TRIM_CHUNK}) AS oldest`,
        `DELETE FROM ${history} WHERE id <= @last AND event_time < ${then}`,
        'SET @trimmed = ROW_COUNT()',
        `SELECT MAX(id) - ${maxRows} INTO @last FROM ${history}`,
        `DELETE FROM ${history} WHERE id <= @last AND actor IS NULL ORDER BY id LIMIT ${TRIM_CHUNK}`,
        'SET @trimmed = @trimmed + ROW_COUNT()',
        `DELETE FROM ${statistics} WHERE period < ${then}`,
        'SELECT @trimmed AS count',
      ];
    },
  };
}

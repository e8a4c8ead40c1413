import { randomBytes } from 'node:crypto';
import { NOBODYS_GRANT } from '../../lease/requests.js';
import { ALIVE } from '../wait-queue.js';

/** The statements of one batch. They go in one packet, and are answered together; those that select tell rows. */
export type Packet = readonly string[];

/** `billing.locks` → `` `billing`.`locks` ``. */
export function quoteTable(path: string): string {
  return path.split('.').map(quoteName).join('.');
}

export const quoteName = (name: string) => `\`${name.replaceAll('`', '``')}\``;

/** A text as SQL writes it. Each session of ours takes the backslash for an escape, and reads UTF-8, whatever the server's settings say. */
export const quoteText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export const quoteNullable = (text: string | null | undefined) =>
  text === null || text === undefined ? 'NULL' : quoteText(text);

export const quoteJson = (value: object | null | undefined) => quoteNullable(value && JSON.stringify(value));

/** The same in microseconds. */
export const microsecondsOf = (milliseconds: number) => Math.round(milliseconds * 1000);

const sinceEpoch = (time: string) => `TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', ${time})`;

/**
 * Microseconds since 1970, when the expression is evaluated: in what an UPDATE sets or asks for, and in ON DUPLICATE KEY UPDATE, that is after the
 * row was locked. All sessions of ours are in UTC.
 */
export const CLOCK = sinceEpoch('SYSDATE(6)');

/** Microseconds since 1970 at the statement's start; of one behind another that locks rows, when they are locked. */
export const NOW = sinceEpoch('NOW(6)');

/** Whose a lock is that was released and stays taken for a while. */
export const NOBODY = `'${NOBODYS_GRANT}'`;

/** How long a waiter counts as alive without being heard of. */
export const ALIVE_TIME = microsecondsOf(ALIVE);

/**
 * A number for a packet: what it writes bears it, in the column `row_version`, and is found again by it. A row that another has written since
 * bears another one.
 */
export function packetNumber(): string {
  // Below 2^62, so that its negative fits as well; never 0, which a row begins with.
  return ((randomBytes(8).readBigUInt64BE() >> 2n) | 1n).toString();
}

/** In the order in which all statements lock rows, so that no two batches deadlock. */
export function sorted<Request extends { lockName: string }>(batch: readonly Request[]): Request[] {
  return batch.toSorted((one, other) => byBytes(one.lockName, other.lockName));
}

/** The order of names: that of their bytes, which is that of their code points. */
export function byBytes(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const difference = rank(one.charCodeAt(at)) - rank(other.charCodeAt(at));
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

/** A code unit's place in that order: the halves of characters beyond the first plane come behind all that is in it. */
function rank(unit: number): number {
  if (unit < 0xd8_00) return unit;
  return unit < 0xe0_00 ? unit + 0x20_00 : unit - 0x8_00;
}

export const listOf = (names: readonly string[]) => names.map(quoteText).join(', ');

export const namesOf = (batch: ReadonlyArray<{ lockName: string }>) =>
  listOf(batch.map(({ lockName }) => lockName));

/**
 * What the requests of a batch say, for the row at hand.
 * @param of an expression
 * @param lockName of that row
 */
export function perName<Request extends { lockName: string }>(
  batch: readonly Request[],
  of: (request: Request) => string | number,
  lockName = 'lock_name',
): string {
  const said = batch.map((request) => String(of(request)));
  if (said.every((one) => one === said[0])) return said[0]!;
  const cases = batch.map((request, index) => `WHEN ${quoteText(request.lockName)} THEN ${said[index]}`);
  return `CASE ${lockName} ${cases.join(' ')} END`;
}

/**
 * From when on others may have a lock: the end of its lease, and the tolerance after that where the lease was not released.
 * @param clockTolerance in milliseconds
 */
export const freeTime = (clockTolerance: number) =>
  clockTolerance === 0
    ? 'expire_time'
    : `(expire_time + IF(grant_id <> ${NOBODY}, ${microsecondsOf(clockTolerance)}, 0))`;

/** @param now the expression of a time */
export const stateAt = (now: string) =>
  `CASE
    WHEN grant_id IS NULL THEN 'released'
    WHEN expire_time > ${now} THEN 'held'
    WHEN grant_id = ${NOBODY} THEN 'released'
    ELSE 'expired'
  END`;

export const leaseColumns = (now: string) =>
  `lock_row.lock_name, worker_name, grant_id, token, lock_time, expire_time, metadata, ${now} AS server_time`;

/** Those who wait for the lock at hand and whose server has been heard of. */
export const aliveWaiters = (waiters: string) => `FROM ${waiters} AS waiter
    WHERE waiter.lock_name = lock_row.lock_name AND waiter.alive_until > ${NOW}`;

/** How many wait for each lock that is waited for. */
export const waiterCounts = (waiters: string) => `SELECT lock_name, COUNT(*) AS waiting
  FROM ${waiters}
  WHERE alive_until > ${NOW}
  GROUP BY lock_name`;

/**
 * The server and the grantId of the first in the queue of the lock at hand, with a space between; null when nobody waits.
 * @param ended the grantId of the lease that was ended: its holder waits no longer, though it may still stand there
 */
export const nextInLine = (waiters: string, ended: string) => `(
    SELECT CONCAT(waiter.server, ' ', waiter.grant_id)
    ${aliveWaiters(waiters)} AND waiter.grant_id <> ${ended}
    ORDER BY waiter.ticket, waiter.grant_id
    LIMIT 1
  )`;

/**
 * Locks the rows of these names, in their order, and waits for each. What follows in the transaction sees them as they are then; an UPDATE by
 * itself may look at what was committed last of a row that somebody is writing, and pass it over.
 */
export const lockedRows = (locks: string, names: string) => `SELECT COUNT(*) INTO @locked
FROM ${locks} FORCE INDEX (PRIMARY)
WHERE lock_name IN (${names})
FOR UPDATE`;

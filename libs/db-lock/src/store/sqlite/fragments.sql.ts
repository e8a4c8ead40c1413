import { NOBODYS_GRANT } from '../../lease/requests.js';

/** What each statement gets as `:now`: the time, in microseconds since 1970. */
export const NOW = ':now';

/** Whose a lock is that was released and stays taken for a while. */
export const NOBODY = `'${NOBODYS_GRANT}'`;

export const stateOf = (row: string) => `
    CASE
      WHEN ${row}.grant_id IS NULL THEN 'released'
      WHEN ${row}.expire_time > ${NOW} THEN 'held'
      WHEN ${row}.grant_id = ${NOBODY} THEN 'released'
      ELSE 'expired'
    END`;

/** Whose a lock is: of one that was released, it may still be written whose it was. */
export const workerOf = (row: string) =>
  `CASE WHEN ${row}.grant_id <> ${NOBODY} OR ${row}.expire_time > ${NOW} THEN ${row}.worker_name END`;

const LEASE = ['lock_name', 'worker_name', 'grant_id', 'token', 'lock_time', 'expire_time', 'metadata'];

/** A lock as `rows.ts` reads it. */
export const leaseColumns = (row: string) =>
  `${LEASE.map((column) => `${row}.${column}`).join(', ')}, ${row}.row_version AS version, ${NOW} AS server_time`;

/** The same of what was written: RETURNING knows no other name of the table. */
export const RETURNING_LEASE = `RETURNING ${LEASE.join(', ')}, row_version AS version, ${NOW} AS server_time`;

/** Those who wait for a lock and whose server has been heard of. */
export const aliveWaiters = (waiters: string, lockName: string) => `
  FROM ${waiters} AS waiter
  WHERE waiter.lock_name = ${lockName} AND waiter.alive_until > ${NOW}`;

/** A lock as operators see it. */
export const lookColumns = (row: string, waiters: string) => `
    ${stateOf(row)} AS state,
    (SELECT count(*) ${aliveWaiters(waiters, `${row}.lock_name`)}) AS waiting,
    ${leaseColumns(row)}`;

/** How many wait for each lock that is waited for. */
export const waiterCounts = (waiters: string) => `
  SELECT waiter.lock_name, count(*) AS waiting
  FROM ${waiters} AS waiter
  WHERE waiter.alive_until > ${NOW}
  GROUP BY waiter.lock_name`;

/** Nobody has used the lock since `:idleSince`, and its token does not run ahead of the clock: without its row, the next token is a greater one. */
export const isIdle = (row: string) => `${row}.expire_time <= :idleSince AND ${row}.token < :idleSince`;

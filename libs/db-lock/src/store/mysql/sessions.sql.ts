import { COLLATIONS } from './columns.js';
import type { Packet } from './fragments.sql.js';

/** What a connection is for. */
export type Purpose =
  /** Grants and renewals. */
  | 'acquire'
  | 'release'
  /** Lining waiters up. */
  | 'queue'
  /** Looking whether their locks came free. */
  | 'look'
  /** Acts of operators, and signs of life: they must not wait for those who read. */
  | 'act'
  /** Reading, recording, clean-up. */
  | 'desk';

export interface SessionTimeouts {
  /** Milliseconds after which the server gives a statement up. MySQL does so with statements that read only. */
  statement: number;
  /** Milliseconds that a statement waits for a row lock; whole seconds on the server. */
  rowLock: number;
}

/**
 * Prepares a session of ours.
 * - NO_BACKSLASH_ESCAPES must be off: a quoted text could end early. So must SIMULTANEOUS_ASSIGNMENT: our assignments run from left to right.
 * - READ COMMITTED: each statement sees what is committed by then, and locks no gaps between rows.
 * - UTC, so that SYSDATE() and NOW() are.
 * - What is put together of many rows must not be cut.
 */
export function sessionSettings(isMariadb: boolean, { statement, rowLock }: SessionTimeouts): Packet {
  const settings = [
    `time_zone = '+00:00'`,
    `sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`,
    'autocommit = 1',
    'completion_type = 0',
    `${isMariadb ? 'tx_isolation' : 'transaction_isolation'} = 'READ-COMMITTED'`,
    `${isMariadb ? 'tx_read_only' : 'transaction_read_only'} = 0`,
    `innodb_lock_wait_timeout = ${wholeSeconds(rowLock)}`,
    `lock_wait_timeout = ${wholeSeconds(statement)}`,
    isMariadb ? `max_statement_time = ${statement / 1000}` : `max_execution_time = ${statement}`,
    'group_concat_max_len = 1048576',
  ];
  return [
    `SET NAMES utf8mb4 COLLATE ${COLLATIONS[isMariadb ? 'mariadb' : 'mysql']}`,
    `SET SESSION ${settings.join(', SESSION ')}`,
  ];
}

const wholeSeconds = (milliseconds: number) => Math.max(1, Math.round(milliseconds / 1000));

/**
 * Within a transaction, the server waits no longer than this for the next packet, and then ends the connection: who stands still or is gone
 * must not keep rows locked for hours.
 */
export const waitBriefly = (milliseconds: number) =>
  `SET SESSION wait_timeout = ${wholeSeconds(milliseconds)}`;

/** Outside of transactions, it waits as long as it does for others. */
export const WAIT_AS_USUAL = 'SET SESSION wait_timeout = DEFAULT';

/** What is known of a server: one row a variable that it has. */
export const SERVER_VARIABLES = `SHOW VARIABLES WHERE Variable_name IN (
  'version', 'max_allowed_packet', 'log_bin', 'binlog_format', 'innodb_flush_log_at_trx_commit', 'sync_binlog'
)`;

/** Whether the clock goes on within a statement: on a server that was started with --sysdate-is-now it does not. */
export const CLOCK_GOES_ON = 'SELECT NOW(6) AS begun, SLEEP(0.001) AS slept, NOW(6) <> SYSDATE(6) AS goes_on';

/** Ends what another connection still runs; then it is rolled back. */
export const kill = (connection: number) => `KILL ${connection}`;

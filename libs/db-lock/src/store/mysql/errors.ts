import type { Faults } from '../batch.js';

/** What mysql2 says of an error that a server answered with. */
interface ServerError {
  errno: number;
  sqlState: string;
}

/** The server's own answer; undefined for errors that don't come from it. */
function answerOf(error: unknown): ServerError | undefined {
  const { errno, sqlState, fatal } = (error ?? {}) as Partial<ServerError> & { fatal?: boolean };
  return typeof errno === 'number' && typeof sqlState === 'string' && !fatal
    ? { errno, sqlState }
    : undefined;
}

/**
 * The server gives up, stops, or takes no writes: another connection may reach one that does. 1053 shutdown, 1290 and 1836 read only, 1792 a
 * transaction that only reads, 1317 killed, 1927 connection killed, 3024 and 1969 taking too long, 1180 an error while it committed.
 */
const NOT_USABLE = new Set([1053, 1180, 1290, 1317, 1792, 1836, 1927, 1969, 3024]);

/** The server gave a transaction up, and said nothing. */
export class RolledBackError extends Error {
  constructor() {
    super('The server has rolled the transaction back without a word.');
  }
}

/** The server itself answered, and the connection is usable: the statement had no effect, and those before it can be rolled back. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof RolledBackError) return true;
  const answer = answerOf(error);
  return answer !== undefined && !NOT_USABLE.has(answer.errno) && !answer.sqlState.startsWith('08');
}

/** Deadlock, which Galera also answers when it commits what another node has changed; and a record that was changed since it was read. */
const CONFLICTS = new Set([1213, 1020]);

/** Somebody else keeps the row locked. What came before in the transaction still is, until it is rolled back. */
const ROW_LOCKED = 1205;

/** One request may be to blame for these: its data don't fit, or a trigger or a constraint refuses it. By number where the state says nothing. */
const BLAMES_ONE = /^(22|23|44|45)/;
const BLAMES_ONE_BY_NUMBER = new Set([1364, 1366, 3819, 4025]);

export const isRowLocked = (error: unknown) => answerOf(error)?.errno === ROW_LOCKED;

/** What the errors of MySQL and MariaDB say. */
export const FAULTS: Faults = {
  /** On Galera, each of several nodes that write the same rows may lose some times in a row. */
  tries: 30,
  isConflict: (error) => error instanceof RolledBackError || CONFLICTS.has(answerOf(error)?.errno ?? 0),
  blames(error) {
    const answer = answerOf(error);
    if (!answer || !isRefusal(error)) return undefined;
    const { errno, sqlState } = answer;
    if (errno === ROW_LOCKED) return 'each';
    return BLAMES_ONE.test(sqlState) || BLAMES_ONE_BY_NUMBER.has(errno) ? 'one' : undefined;
  },
};

/** mysql2 puts the whole packet into an error, and with it the keys to leases, which no log may show. */
export function withoutPacket(error: unknown): unknown {
  if (error instanceof Error && 'sql' in error) error.sql = undefined;
  return error;
}

import type { LockTableMissingError } from '../module/table-columns.js';
import {
  AccessDeniedError,
  DbLockConfigurationError,
  DbLockError,
  InvalidLockRequestError,
  LockBusyError,
  UnexpectedAnswerError,
  type DbLockErrorCode,
} from '../lease/errors.js';
import { EXIT } from './exit-codes.js';
import { flagOf } from './flags.js';

/** The command line asks for something that can't be. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}

/** The database can't be reached, or refuses us. */
export class UnreachableError extends Error {
  readonly code = 'STORE_UNAVAILABLE';
}

/** A package is missing. */
export class SetUpError extends Error {
  readonly code = 'SET_UP';
}

/** What is to run under the lock can't be started. */
export class StartError extends Error {
  readonly code = 'NOT_STARTED';

  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** The answer is no, which is no failure: `message` says why. */
export class NegativeAnswer extends Error {
  readonly code = 'NO';
}

const EXIT_CODES: Record<DbLockErrorCode, number> = {
  INVALID_REQUEST: EXIT.usage,
  LOCK_BUSY: EXIT.busy,
  LEASE_LOST: EXIT.lost,
  LOCK_NOT_FOUND: EXIT.no,
  LOCK_CHANGED: EXIT.no,
  STORE_UNAVAILABLE: EXIT.unavailable,
  OVERLOADED: EXIT.unavailable,
  ACCESS_DENIED: EXIT.denied,
  UNEXPECTED_ANSWER: EXIT.unavailable,
  CLIENT_CLOSED: EXIT.unavailable,
  INVALID_CONFIGURATION: EXIT.usage,
  LOCK_TABLE_MISSING: EXIT.setUp,
  DATA_DIRECTORY_IN_USE: EXIT.unavailable,
};

/** What to end with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof DbLockError) return EXIT_CODES[error.code];
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof UnreachableError) return EXIT.unavailable;
  if (error instanceof SetUpError) return EXIT.setUp;
  if (error instanceof StartError) return error.exitCode;
  if (error instanceof NegativeAnswer) return EXIT.no;
  return EXIT.broken;
}

/** What to say, to somebody who knows the command line only. */
export function messageOf(error: unknown): string {
  if (error instanceof InvalidLockRequestError)
    return `${error.issues.map(({ field, rule }) => `${flagOf(field)} ${rule}`).join('; ')}.`;
  if (error instanceof AccessDeniedError)
    return error.message.replace(
      'check apiToken',
      'check DB_LOCK_API_TOKEN, and DB_LOCK_ADMIN_PASSWORD for watch, history and force-release',
    );
  if (error instanceof UnexpectedAnswerError)
    return error.message.replace('check apiServer', "check the server's address");
  if (error instanceof DbLockConfigurationError) {
    const [option] = error.option.split('.') as [string];
    return flagOf(option) + error.message.slice(error.option.length);
  }
  if (isTableMissing(error))
    return error.feature === undefined
      ? error.message
      : `${error.problem} db-lock migrate makes it, or the SQL that db-lock sql prints.`;
  if (error instanceof DbLockError || hasCode(error)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What `--json` tells of it. */
export function jsonOf(error: unknown): object {
  const code = error instanceof DbLockError || hasCode(error) ? error.code : 'UNEXPECTED';
  const busy =
    error instanceof LockBusyError
      ? { lockName: error.lockName, holder: error.holder, retryAfter: error.retryAfter }
      : undefined;
  return { code, message: messageOf(error), ...busy };
}

type OwnError = UsageError | UnreachableError | SetUpError | StartError | NegativeAnswer;

const OWN_ERRORS = [UsageError, UnreachableError, SetUpError, StartError, NegativeAnswer];

const hasCode = (error: unknown): error is OwnError => OWN_ERRORS.some((kind) => error instanceof kind);

/** Told by its code: its class would load much that not every command needs. */
const isTableMissing = (error: unknown): error is LockTableMissingError =>
  error instanceof DbLockError && error.code === 'LOCK_TABLE_MISSING';

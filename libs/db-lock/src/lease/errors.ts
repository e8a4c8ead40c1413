import { sharedClasses } from './copies.js';
import type { LockMetadata } from './metadata.js';

/** Every error of this library is a `DbLockError` with a `code` that stays the same between versions. */
export type DbLockErrorCode =
  | 'INVALID_REQUEST'
  | 'LOCK_BUSY'
  | 'LEASE_LOST'
  | 'LOCK_NOT_FOUND'
  | 'LOCK_CHANGED'
  | 'STORE_UNAVAILABLE'
  | 'OVERLOADED'
  | 'ACCESS_DENIED'
  | 'UNEXPECTED_ANSWER'
  | 'CLIENT_CLOSED'
  | 'INVALID_CONFIGURATION'
  | 'LOCK_TABLE_MISSING'
  | 'DATA_DIRECTORY_IN_USE';

/** The base class: `catch (error) { if (error instanceof DbLockError) … error.code … }`. */
export abstract class DbLockError extends Error {
  abstract readonly code: DbLockErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** One broken rule of a request. */
export interface RequestIssue {
  /** The field that breaks the rule, in dotted form; `body` for the whole body. */
  field: string;
  /** The rule, as a sentence fragment: `must be a string of 1 to 255 characters`. */
  rule: string;
}

/** The request breaks a rule; nothing was stored. HTTP 400. */
export class InvalidLockRequestError extends DbLockError {
  readonly code = 'INVALID_REQUEST';

  constructor(readonly issues: readonly RequestIssue[]) {
    super(issues.map(({ field, rule }) => `${field} ${rule}`).join('; '));
  }
}

/** Who holds a lock, as far as it concerns those who don't. Never carries the grantId, which is the key to the lease. */
export interface LockHolder {
  /** Null where the server's contract doesn't tell (django-db-lock). */
  workerName: string | null;
  lockTime: Date | null;
  expireTime: Date | null;
}

/** The lock is held by somebody else. HTTP 409. */
export class LockBusyError extends DbLockError {
  readonly code = 'LOCK_BUSY';

  constructor(
    readonly lockName: string,
    readonly holder: LockHolder,
    /** Milliseconds until the lock may be free unless its lease is renewed; null where the server doesn't tell. */
    readonly retryAfter: number | null,
  ) {
    const by = holder.workerName === null ? 'somebody else' : JSON.stringify(holder.workerName);
    const until = holder.expireTime === null ? '' : ` until ${holder.expireTime.toISOString()}`;
    super(`Lock ${JSON.stringify(lockName)} is held by ${by}${until}.`);
  }
}

/** A lock as it is now, to those who meant another lease of it. */
export interface ChangedLock {
  lockName: string;
  state: 'held' | 'expired' | 'released';
  workerName: string | null;
  fencingToken: number;
  lockTime: Date;
  expireTime: Date;
  /** The database's clock when it was read. */
  serverTime: Date;
  metadata: LockMetadata | null;
  /** How many wait for it. */
  waiting: number;
}

/** The lease that was meant is over, and somebody else may have the lock; nothing was done. HTTP 409. */
export class LockChangedError extends DbLockError {
  readonly code = 'LOCK_CHANGED';

  /** @param lock as it is now; it may have more fields */
  constructor(readonly lock: ChangedLock) {
    const { lockName, state, workerName, lockTime } = lock;
    super(
      state === 'held'
        ? `Lock ${JSON.stringify(lockName)} has changed hands: ${JSON.stringify(workerName)} holds it since ${lockTime.toISOString()}.`
        : `Lock ${JSON.stringify(lockName)} is ${state} by now.`,
    );
  }
}

/** Why a lease is no lease any more. */
export type LostReason =
  /** The store says so: it expired, was force-released, or somebody else holds the lock. */
  | 'refused'
  /** It could not be confirmed before the local deadline. */
  | 'deadline'
  /** The application shuts down and has released it. */
  | 'shutdown';

const LOST_BECAUSE: Record<LostReason, string> = {
  refused: 'the store no longer knows it: it expired or was force-released',
  deadline: 'it was not confirmed before its deadline',
  shutdown: 'the application is shutting down',
};

/** The lease is lost: its holder must stop. HTTP 410. */
export class LeaseLostError extends DbLockError {
  readonly code = 'LEASE_LOST';

  constructor(
    readonly lockName: string,
    readonly reason: LostReason,
  ) {
    super(`The lease of lock ${JSON.stringify(lockName)} is lost: ${LOST_BECAUSE[reason]}.`);
  }
}

/** The server knows no lock of this name. HTTP 404; `inspect` returns null instead. */
export class LockNotFoundError extends DbLockError {
  readonly code = 'LOCK_NOT_FOUND';

  constructor(readonly lockName: string) {
    super(`There is no lock ${JSON.stringify(lockName)}.`);
  }
}

/**
 * The store could not answer: neither "busy" nor "free". A statement that was sent may have taken effect; repeating an
 * acquire with the same grantId is safe. HTTP 503.
 */
export class StoreUnavailableError extends DbLockError {
  readonly code = 'STORE_UNAVAILABLE';

  constructor(message: string, options?: ErrorOptions & { retryAfter?: number }) {
    super(message, options);
    this.retryAfter = options?.retryAfter ?? 1000;
  }

  /** Milliseconds after which another try makes sense. */
  readonly retryAfter: number;
}

/** The lock server has as many requests in its queue as it takes: this one was refused and had no effect. HTTP 503. */
export class OverloadedError extends DbLockError {
  readonly code = 'OVERLOADED';

  constructor(
    /** How many requests queue; null where the server doesn't tell. */
    readonly queued: number | null,
    options?: { retryAfter?: number },
  ) {
    super(
      queued === null
        ? 'The lock server is overloaded.'
        : `The lock server is overloaded: ${queued} requests queue already.`,
    );
    this.retryAfter = options?.retryAfter ?? 1000;
  }

  /** Milliseconds after which another try makes sense. */
  readonly retryAfter: number;
}

/** The lock server refuses this caller: no token, a wrong one, or one without the right. HTTP 401 and 403. */
export class AccessDeniedError extends DbLockError {
  readonly code = 'ACCESS_DENIED';
}

/** What answered is no lock server, or speaks another contract: a wrong address, path or proxy. */
export class UnexpectedAnswerError extends DbLockError {
  readonly code = 'UNEXPECTED_ANSWER';
}

/** The client was closed by the application's shutdown. */
export class ClientClosedError extends DbLockError {
  readonly code = 'CLIENT_CLOSED';

  constructor() {
    super('The lock client is closed: the application is shutting down.');
  }
}

/** A start-up error: an option is missing, wrong, or contradicts another. */
export class DbLockConfigurationError extends DbLockError {
  readonly code = 'INVALID_CONFIGURATION';

  constructor(
    /** The option to mend. */
    readonly option: string,
    message: string,
  ) {
    super(`${option}: ${message}`);
  }
}

sharedClasses({
  DbLockError,
  InvalidLockRequestError,
  LockBusyError,
  LockChangedError,
  LeaseLostError,
  LockNotFoundError,
  StoreUnavailableError,
  OverloadedError,
  AccessDeniedError,
  UnexpectedAnswerError,
  ClientClosedError,
  DbLockConfigurationError,
});

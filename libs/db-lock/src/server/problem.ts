import { HttpException, HttpStatus } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import type { z } from 'zod';
import {
  DbLockError,
  InvalidLockRequestError,
  LockBusyError,
  LockChangedError,
  OverloadedError,
  StoreUnavailableError,
  type DbLockErrorCode,
} from '../lease/errors.js';
import { toLockJson, type problemJson } from './schemas.js';

/** An error as a problem document (RFC 9457), with what goes into the headers. */
export interface Problem {
  body: z.input<typeof problemJson>;
  headers: Record<string, string>;
}

const STATUS_OF: Partial<Record<DbLockErrorCode, HttpStatus>> = {
  INVALID_REQUEST: HttpStatus.BAD_REQUEST,
  LOCK_NOT_FOUND: HttpStatus.NOT_FOUND,
  LOCK_BUSY: HttpStatus.CONFLICT,
  LOCK_CHANGED: HttpStatus.CONFLICT,
  LEASE_LOST: HttpStatus.GONE,
  STORE_UNAVAILABLE: HttpStatus.SERVICE_UNAVAILABLE,
  OVERLOADED: HttpStatus.SERVICE_UNAVAILABLE,
  CLIENT_CLOSED: HttpStatus.SERVICE_UNAVAILABLE,
};

/** The problem that an error is to a caller. What is no error of ours nor of HTTP's is a 500 that tells nothing. */
export function problemOf(error: unknown): Problem {
  if (error instanceof DbLockError) {
    const problem = newProblem(
      STATUS_OF[error.code] ?? HttpStatus.INTERNAL_SERVER_ERROR,
      error.code,
      error.message,
    );
    if (error instanceof InvalidLockRequestError) problem.body.issues = [...error.issues];
    if (error instanceof LockBusyError) {
      const { workerName, lockTime, expireTime } = error.holder;
      problem.body.lockName = error.lockName;
      problem.body.holder = {
        workerName,
        lockTime: lockTime && lockTime.toISOString(),
        expireTime: expireTime && expireTime.toISOString(),
      };
      retryAfter(problem, error.retryAfter);
    }
    if (error instanceof LockChangedError) problem.body.lock = toLockJson(error.lock);
    if (error instanceof StoreUnavailableError) {
      // Why it is unavailable is for the log, not for callers.
      problem.body.detail = 'The lock store does not answer. Whether the request took effect is unknown.';
      retryAfter(problem, error.retryAfter);
    }
    if (error instanceof OverloadedError) {
      problem.body.detail = 'Too many requests are queued. The request had no effect.';
      retryAfter(problem, error.retryAfter);
    }
    return problem;
  }
  if (error instanceof HttpException) return httpProblem(error);
  if (isRefusal(error))
    return httpProblem(new HttpException(error.message, error.statusCode, { cause: error }));
  return newProblem(HttpStatus.INTERNAL_SERVER_ERROR, 'INTERNAL_ERROR', 'Something went wrong here.');
}

/** What Nest 11 passes on as a body parser has thrown it: an error that says which status it is, and that callers may know it. */
function isRefusal(error: unknown): error is Error & { statusCode: number } {
  if (!(error instanceof Error)) return false;
  const { statusCode, expose, code } = error as { statusCode?: unknown; expose?: unknown; code?: unknown };
  const isForCallers = expose === true || (typeof code === 'string' && code.startsWith('FST_ERR_'));
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 && isForCallers;
}

/** Bad bodies are refused by the application's body parser, before any route of ours. */
function httpProblem(error: HttpException): Problem {
  const status = error.getStatus();
  const bodyRule =
    status === 413 ? 'is too large' : isParserError(error) ? 'is not readable as JSON' : undefined;
  if (!bodyRule) return newProblem(status, error.errorCode ?? codeOf(status), error.message);
  return problemOf(new InvalidLockRequestError([{ field: 'body', rule: bodyRule }]));
}

/** Gives an exception a code of ours. Nest 11 takes none. */
export const withCode = <Exception extends HttpException>(
  exception: Exception,
  errorCode: string,
): Exception => Object.assign(exception, { errorCode });

/** `404` → `NOT_FOUND` */
function codeOf(status: number): string {
  return STATUS_CODES[status]?.toUpperCase().replaceAll(/\W+/g, '_') ?? 'ERROR';
}

function isParserError(error: HttpException): boolean {
  const { cause, message } = error;
  if (cause instanceof SyntaxError) return true;
  const code = (cause as { code?: unknown; type?: unknown } | undefined)?.code;
  return (
    (typeof code === 'string' && code.startsWith('FST_ERR_CTP_')) ||
    (error.getStatus() === 400 && /JSON/i.test(message))
  );
}

function newProblem(status: number, code: string, detail: string): Problem {
  return {
    body: { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, code },
    headers: { 'Content-Type': 'application/problem+json; charset=utf-8', 'Cache-Control': 'no-store' },
  };
}

function retryAfter(problem: Problem, milliseconds: number | null): void {
  if (milliseconds === null) return;
  problem.body.retryAfter = milliseconds;
  problem.headers['Retry-After'] = String(Math.max(1, Math.ceil(milliseconds / 1000)));
}

import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { monotonicNow } from '../lease/clock.js';
import { problemOf, type Problem } from './problem.js';

/** Sends a body with its status and headers, on Express and on Fastify. */
export function reply(
  adapterHost: HttpAdapterHost,
  host: ArgumentsHost,
  { body, headers }: Problem,
  instead?: object,
): void {
  const { httpAdapter } = adapterHost;
  const response: unknown = host.switchToHttp().getResponse();
  if (httpAdapter.isHeadersSent(response)) {
    httpAdapter.end(response);
    return;
  }
  for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
  // As text: Express under Nest 11 would make `application/json` of a problem's media type.
  httpAdapter.reply(response, JSON.stringify(instead ?? body), body.status);
}

/** Milliseconds between two warnings of an overload, which befalls thousands at once. */
const OVERLOAD_SILENCE = 1_000;

let overloadLoggedAt = -Infinity;

/** Logs what operators must look at; refusals are everyday business. */
export function logFailure(logger: Logger, { body }: Problem, error: unknown): void {
  if (body.code === 'OVERLOADED') {
    if (monotonicNow() - overloadLoggedAt < OVERLOAD_SILENCE) return;
    overloadLoggedAt = monotonicNow();
  }
  if (body.status === 503) logger.warn(error instanceof Error ? error.message : String(error));
  else if (body.status >= 500) logger.error(error);
}

/**
 * Answers every error as a problem document (RFC 9457) with its stable code. Our controllers use it; make it global
 * (`app.useGlobalFilters`) to have unreadable and too large bodies answered that way, too.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('DbLock');

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    this.answer(error, host);
  }

  /** Also for errors that no filter of Nest gets to see. */
  answer(error: unknown, host: ArgumentsHost): void {
    const problem = problemOf(error);
    logFailure(this.#logger, problem, error);
    reply(this.adapterHost, host, problem);
  }
}

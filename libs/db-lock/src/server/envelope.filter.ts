import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { logFailure, reply } from './problem.filter.js';
import { problemOf } from './problem.js';

/**
 * Answers every error in django-db-lock's envelope, with a proper status code. There is never a `result`: the Python
 * client reads that alone, and nothing but a grant may look like one.
 */
@Catch()
export class EnvelopeFilter implements ExceptionFilter {
  readonly #logger = new Logger('DbLock');

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const problem = problemOf(error);
    const { code, detail } = problem.body;
    problem.headers['Content-Type'] = 'application/json; charset=utf-8';
    logFailure(this.#logger, problem, error);
    reply(this.adapterHost, host, problem, { success: false, error: { code, message: detail } });
  }
}

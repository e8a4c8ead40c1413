import {
  Inject,
  Injectable,
  Res,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Observable } from 'rxjs';
import { ProblemFilter } from '../server/problem.filter.js';

/**
 * Answers with what the handler returns or throws. It is the innermost interceptor: those of the application are called around
 * it, and are given nothing that they could wrap, store or replace.
 */
@Injectable()
class Answering implements NestInterceptor {
  readonly #problems: ProblemFilter;

  constructor(@Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost) {
    this.#problems = new ProblemFilter(adapterHost);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<void> {
    const { httpAdapter } = this.adapterHost;
    const response: unknown = context.switchToHttp().getResponse();
    return new Observable((application) => {
      const answer = (send: () => unknown) => {
        application.next(); // first, because its interceptors may still set headers
        try {
          send();
        } catch (error) {
          this.#problems.answer(error, context);
        }
        application.complete();
      };
      return next.handle().subscribe({
        next: (value: unknown) => answer(() => value !== undefined && httpAdapter.reply(response, value)),
        error: (error: unknown) => answer(() => this.#problems.answer(error, context)),
      });
    });
  }
}

/**
 * The answers of a controller, its problem documents and its streams go out as they are, whatever the application's global
 * interceptors do with theirs (an envelope around everything is a common one). A handler is as any other one; if it returns nothing,
 * it has answered.
 */
export const Unbent = (): ClassDecorator => (controller) => {
  UseInterceptors(Answering)(controller);
  const prototype = controller.prototype as Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const handler = prototype[name];
    // For a handler that takes the response, Nest sends nothing itself; these get it as one argument more.
    if (typeof handler === 'function' && handler !== controller) Res()(prototype, name, handler.length);
  }
};

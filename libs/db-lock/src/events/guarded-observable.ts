import { Logger } from '@nestjs/common';
import { Observable, pipe, Subscriber, type Observer, type OperatorFunction, type Subscription } from 'rxjs';

const logger = new Logger('DbLock');

/** The same values; a subscriber that throws is logged, instead of ending the process as an uncaught exception. */
export function guarded<Value>(source: Observable<Value>): Observable<Value> {
  return new GuardedObservable<Value>((subscriber) => source.subscribe(subscriber));
}

class GuardedObservable<Value> extends Observable<Value> {
  /** What is piped from here is guarded, too. */
  override pipe(): Observable<Value>;
  override pipe<Result>(...operations: Array<OperatorFunction<unknown, unknown>>): Observable<Result>;
  override pipe(...operations: Array<OperatorFunction<unknown, unknown>>): Observable<unknown> {
    return guarded(pipe(...(operations as []))(this));
  }

  override subscribe(
    observerOrNext?: Partial<Observer<Value>> | ((value: Value) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer =
      typeof observerOrNext === 'object' && observerOrNext
        ? observerOrNext
        : { next: observerOrNext ?? undefined, error: error ?? undefined, complete: complete ?? undefined };
    return super.subscribe({
      next: (value) => attempt(() => observer.next?.(value)),
      error: (failure) => attempt(() => (observer.error ? observer.error(failure) : log(failure))),
      complete: () => attempt(() => observer.complete?.()),
    });
  }
}

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    log(error);
  }
}

function log(error: unknown): void {
  logger.error('A subscriber of lock events failed.', error instanceof Error ? error.stack : String(error));
}

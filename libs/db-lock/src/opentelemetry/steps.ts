import {
  context,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanKind,
  type Tracer,
} from '@opentelemetry/api';
import { DbLockError, LockBusyError } from '../lease/errors.js';
import { OUTCOME } from './metrics.js';

const ERROR_TYPE = 'error.type';

/** Something that is done in somebody's trace. */
export interface Step<Result> {
  name: string;
  kind: SpanKind;
  attributes: Attributes;
  parent: Context;
  /** What a result comes to. */
  outcomeOf: (result: Result) => string;
  /** Whether nobody waits for the result any more. */
  isAbandoned?: () => boolean;
}

/** Does it as a span, within which it goes on. */
export async function takeStep<Result>(
  tracer: Tracer,
  { name, kind, attributes, parent, outcomeOf, isAbandoned }: Step<Result>,
  run: () => Promise<Result>,
): Promise<Result> {
  const span = tracer.startSpan(name, { kind, attributes }, parent);
  try {
    const result = await context.with(trace.setSpan(parent, span), run);
    span.setAttribute(OUTCOME, outcomeOf(result));
    return result;
  } catch (error) {
    if (error instanceof LockBusyError) span.setAttribute(OUTCOME, 'busy');
    else if (isAbandoned?.()) span.setAttribute(OUTCOME, 'abandoned');
    else fail(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function fail(span: Span, error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const type = error instanceof DbLockError ? error.code : name;
  span.setAttributes({ [OUTCOME]: 'error', [ERROR_TYPE]: type });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

import { context, propagation, trace, type Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';

/** What a test sees of traces. OpenTelemetry finds its context and its headers by what is registered in the process: here, until it is closed. */
export class Tracing implements Disposable {
  readonly #exporter = new InMemorySpanExporter();
  readonly tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(this.#exporter)],
  });

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  }

  /** The spans that have ended, in that order. */
  spans(name?: string): ReadableSpan[] {
    const spans = this.#exporter.getFinishedSpans();
    return name === undefined ? spans : spans.filter((span) => span.name === name);
  }

  /** Runs something in a trace of its own. */
  async inTrace<Result>(name: string, work: (span: Span) => Promise<Result>): Promise<Result> {
    const span = this.tracerProvider.getTracer('test').startSpan(name);
    try {
      return await context.with(trace.setSpan(context.active(), span), () => work(span));
    } finally {
      span.end();
    }
  }

  [Symbol.dispose](): void {
    context.disable();
    propagation.disable();
  }
}

import {
  context,
  createContextKey,
  propagation,
  SpanKind,
  SpanStatusCode,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { LostReason } from '../lease/errors.js';
import type { AcquireTraced, ClientTraces, LockTraced } from '../telemetry/traces.js';
import { REASON } from './metrics.js';
import { ofAcquire, ofLock } from './span-attributes.js';
import { takeStep } from './steps.js';

/** Where an acquire was asked for. The lease is held there, beside the acquire. */
const CALLER = createContextKey('nestjs-db-lock caller');

/** What a feature's clients do, as spans: `lock.acquire`, `lock.hold` and `lock.release`, side by side in the caller's. */
export class ClientSpans implements ClientTraces {
  readonly #holds = new Map<LockTraced, Span>();

  constructor(
    private readonly tracer: Tracer,
    private readonly feature: string,
  ) {}

  acquire<Result>(asked: AcquireTraced, isRemote: boolean, run: () => Promise<Result>): Promise<Result> {
    const caller = context.active();
    return takeStep(
      this.tracer,
      {
        name: 'lock.acquire',
        kind: kindOf(isRemote),
        attributes: ofAcquire(this.feature, asked),
        parent: caller.setValue(CALLER, caller),
        outcomeOf: (result) => (result === null ? 'busy' : 'granted'),
        isAbandoned: () => asked.signal?.aborted ?? false,
      },
      run,
    );
  }

  hold(lease: LockTraced): void {
    const here = context.active();
    const caller = (here.getValue(CALLER) as Context | undefined) ?? here;
    const span = this.tracer.startSpan('lock.hold', { attributes: ofLock(this.feature, lease) }, caller);
    if (span.isRecording()) this.#holds.set(lease, span);
  }

  end(lease: LockTraced, lost?: LostReason): void {
    const span = this.#holds.get(lease);
    if (!span) return;
    this.#holds.delete(lease);
    if (lost) span.setAttribute(REASON, lost);
    if (lost && lost !== 'shutdown')
      span.setStatus({ code: SpanStatusCode.ERROR, message: `The lease is lost: ${lost}` });
    span.end();
  }

  release<Result>(lease: LockTraced, isRemote: boolean, run: () => Promise<Result>): Promise<Result> {
    return takeStep(
      this.tracer,
      {
        name: 'lock.release',
        kind: kindOf(isRemote),
        attributes: ofLock(this.feature, lease),
        parent: context.active(),
        outcomeOf: (result) => (result as { outcome: string }).outcome,
      },
      run,
    );
  }

  headers(): Record<string, string> {
    const headers: Record<string, string> = {};
    propagation.inject(context.active(), headers);
    return headers;
  }
}

const kindOf = (isRemote: boolean) => (isRemote ? SpanKind.CLIENT : SpanKind.INTERNAL);

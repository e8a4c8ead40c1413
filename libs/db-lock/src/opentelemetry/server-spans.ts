import {
  context,
  propagation,
  SpanKind,
  trace,
  type Attributes,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { monotonicNow } from '../lease/clock.js';
import { RecentMap } from '../lease/recent-map.js';
import type { AcquireTraced, Headers, LockTraced, ServerTraces } from '../telemetry/traces.js';
import { ofAcquire, ofLock } from './span-attributes.js';
import { takeStep, type Step } from './steps.js';

/** Of at least so many locks it is remembered who has freed them last. */
const LOCKS = 1_000;

/** What a feature's lock servers do for those who call them by HTTP, as spans; and who freed what others have waited for. */
export class ServerSpans implements ServerTraces {
  readonly #freed = new RecentMap<string, { by: SpanContext; at: number }>(LOCKS);

  constructor(
    private readonly tracer: Tracer,
    private readonly feature: string,
  ) {}

  acquire<Result>(headers: Headers, asked: AcquireTraced, run: () => Promise<Result>): Promise<Result> {
    const step = { name: 'lock.acquire', isAbandoned: () => asked.signal?.aborted ?? false };
    return this.#serve(headers, ofAcquire(this.feature, asked), step, run);
  }

  release<Result>(headers: Headers, lease: LockTraced, run: () => Promise<Result>): Promise<Result> {
    return this.#serve(headers, ofLock(this.feature, lease), { name: 'lock.release' }, run);
  }

  freed(lockName: string): void {
    const by = trace.getSpanContext(context.active());
    if (by) this.#freed.set(lockName, { by, at: monotonicNow() });
  }

  awaited(lockName: string, since: number): void {
    const freed = this.#freed.get(lockName);
    if (freed && freed.at >= since) trace.getActiveSpan()?.addLink({ context: freed.by });
  }

  /** Where HTTP itself is traced, our step is within that of the request; else the headers tell whose it is. */
  #serve<Result>(
    headers: Headers,
    attributes: Attributes,
    step: Pick<Step<Result>, 'name' | 'isAbandoned'>,
    run: () => Promise<Result>,
  ): Promise<Result> {
    const here = context.active();
    const isTraced = trace.getSpan(here) !== undefined;
    return takeStep(
      this.tracer,
      {
        ...step,
        kind: isTraced ? SpanKind.INTERNAL : SpanKind.SERVER,
        attributes,
        parent: isTraced ? here : propagation.extract(here, headers),
        outcomeOf: (result) => (result as { outcome: string }).outcome,
      },
      run,
    );
  }
}

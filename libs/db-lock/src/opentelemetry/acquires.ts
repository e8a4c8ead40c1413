import type { Attributes } from '@opentelemetry/api';
import type { AcquireOutcome } from '../telemetry/telemetry.js';
import type { Count, Instruments, MetricKey, Series } from './instruments.js';
import { OUTCOME } from './metrics.js';

/** Those with one outcome. */
class Acquires {
  constructor(
    private readonly count: Count,
    private readonly durations: Series,
  ) {}

  /** One more, which ends now. */
  add(began: number, now: number): void {
    this.count.value++;
    if (this.durations.picks(now)) this.durations.lasted(began, now);
  }
}

export type AcquiresByOutcome = Record<AcquireOutcome, Acquires>;

/** Acquires that have the other attributes in common. */
export function acquiresByOutcome(
  instruments: Instruments,
  counts: MetricKey,
  durations: MetricKey,
  attributes: Attributes,
): AcquiresByOutcome {
  const acquires = (outcome: AcquireOutcome) => {
    const all = { ...attributes, [OUTCOME]: outcome };
    return new Acquires(instruments.count(counts, all), instruments.series(durations, all));
  };
  return {
    granted: acquires('granted'),
    busy: acquires('busy'),
    abandoned: acquires('abandoned'),
    error: acquires('error'),
  };
}

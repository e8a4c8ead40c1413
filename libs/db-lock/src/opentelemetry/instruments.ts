import type { Attributes, Histogram, Meter, ObservableResult } from '@opentelemetry/api';
import { METRICS, type Metric } from './metrics.js';
import { Sampler } from './sampler.js';

export type MetricKey = keyof typeof METRICS;

/** A number that only grows. To add to it costs nothing: it is read when somebody collects. */
export interface Count {
  value: number;
}

/** What is seen of a metric now. */
export type Observation = readonly [value: number, attributes: Attributes];

/** Looks how things are. */
export type Look = () => Iterable<Observation> | Promise<Iterable<Observation>>;

/** Durations or sizes with the same attributes. */
export class Series {
  readonly #sampler: Sampler;

  constructor(
    private readonly histogram: Histogram,
    private readonly attributes: Attributes,
    perSecond: number,
  ) {
    this.#sampler = new Sampler(perSecond);
  }

  /** Whether the next one is to be recorded. @param now on the monotonic clock */
  picks(now: number): boolean {
    return this.#sampler.picks(now);
  }

  record(value: number): void {
    this.histogram.record(value, this.attributes);
  }

  /** @param began, now on the monotonic clock, in milliseconds; nobody else counts in these */
  lasted(began: number, now: number): void {
    this.record(Math.max(0, now - began) / 1000);
  }
}

/** The instruments of all metrics; each is made when something is to be told by it. */
export class Instruments {
  readonly #counts = new Map<MetricKey, Array<readonly [Count, Attributes]>>();
  readonly #looks = new Map<MetricKey, Look[]>();
  readonly #histograms = new Map<MetricKey, Histogram>();

  /** @param perSecond how many durations of one series are recorded */
  constructor(
    private readonly meter: Meter,
    private readonly perSecond: number,
  ) {}

  count(key: MetricKey, attributes: Attributes): Count {
    const count = { value: 0 };
    const counts = this.#counts.get(key) ?? this.#newCounts(key);
    counts.push([count, attributes]);
    return count;
  }

  series(key: MetricKey, attributes: Attributes): Series {
    const histogram = this.#histograms.get(key) ?? this.#newHistogram(key);
    return new Series(histogram, attributes, this.perSecond);
  }

  gauge(key: MetricKey, look: Look): void {
    const looks = this.#looks.get(key) ?? this.#newLooks(key);
    looks.push(look);
  }

  #newCounts(key: MetricKey): Array<readonly [Count, Attributes]> {
    const counts: Array<readonly [Count, Attributes]> = [];
    this.#counts.set(key, counts);
    const { name, ...options } = optionsOf(METRICS[key]);
    this.meter.createObservableCounter(name, options).addCallback((result) => {
      for (const [{ value }, attributes] of counts) result.observe(value, attributes);
    });
    return counts;
  }

  #newHistogram(key: MetricKey): Histogram {
    const { name, ...options } = optionsOf(METRICS[key]);
    const histogram = this.meter.createHistogram(name, options);
    this.#histograms.set(key, histogram);
    return histogram;
  }

  #newLooks(key: MetricKey): Look[] {
    const looks: Look[] = [];
    this.#looks.set(key, looks);
    const { name, ...options } = optionsOf(METRICS[key]);
    this.meter.createObservableGauge(name, options).addCallback((result) => observe(looks, result));
    return looks;
  }
}

/** What can't be seen now is left out. */
async function observe(looks: readonly Look[], result: ObservableResult): Promise<void> {
  const seen = await Promise.allSettled(looks.map(async (look) => look()));
  for (const { value: observations } of seen.filter((one) => one.status === 'fulfilled'))
    for (const [value, attributes] of observations) result.observe(value, attributes);
}

const optionsOf = ({ name, unit, description, boundaries }: Metric) => ({
  name,
  unit,
  description,
  ...(boundaries && { advice: { explicitBucketBoundaries: [...boundaries] } }),
});

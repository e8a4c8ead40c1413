import type { Attributes } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, type Histogram } from '@opentelemetry/sdk-metrics';

/** What a test sees of metrics: the SDK of OpenTelemetry, asked whenever the test likes. */
export class Metering {
  readonly #reader = new PrometheusExporter({ preventServerStart: true });
  readonly meterProvider = new MeterProvider({ readers: [this.#reader] });

  /** All points of a metric; none where nothing was told. */
  async points<Value = number>(name: string): Promise<Array<{ attributes: Attributes; value: Value }>> {
    const { resourceMetrics } = await this.#reader.collect();
    return resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(
        ({ dataPoints }) => dataPoints as unknown[] as Array<{ attributes: Attributes; value: Value }>,
      );
  }

  /** The number of the points with such attributes, added up; undefined where there are none. */
  async number(name: string, attributes: Attributes = {}): Promise<number | undefined> {
    const found = (await this.points(name)).filter(has(attributes));
    return found.length > 0 ? found.reduce((sum, { value }) => sum + value, 0) : undefined;
  }

  /** How many durations or sizes with such attributes were recorded, and what they add up to. */
  async recorded(name: string, attributes: Attributes = {}): Promise<{ count: number; sum: number }> {
    const found = (await this.points<Histogram>(name)).filter(has(attributes));
    return {
      count: found.reduce((sum, { value }) => sum + value.count, 0),
      sum: found.reduce((sum, { value }) => sum + value.sum!, 0),
    };
  }
}

const has =
  (wanted: Attributes) =>
  ({ attributes }: { attributes: Attributes }) =>
    Object.entries(wanted).every(([name, value]) => attributes[name] === value);

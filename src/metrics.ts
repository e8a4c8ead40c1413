import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, type ViewOptions } from '@opentelemetry/sdk-metrics';
import { METRICS, openTelemetry, type Telemetry } from 'nestjs-db-lock/opentelemetry';

/** The type of what is scraped. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What goes on at the server, in numbers, as Prometheus reads them. */
export class Metrics {
  readonly #reader = new PrometheusExporter({ preventServerStart: true });
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  /** Who is told what goes on. */
  readonly telemetry: Telemetry;

  constructor() {
    const meterProvider = new MeterProvider({ readers: [this.#reader], views: inSeconds() });
    this.telemetry = openTelemetry({ meterProvider, countLocks: true });
  }

  /** How things are now. */
  async scrape(): Promise<string> {
    const { resourceMetrics } = await this.#reader.collect();
    return this.#serializer.serialize(resourceMetrics);
  }
}

/** Prometheus has the unit in the name. */
function inSeconds(): ViewOptions[] {
  return Object.values(METRICS)
    .filter(({ unit }) => unit === 's')
    .map(({ name }) => ({ instrumentName: name, name: `${name}.seconds` }));
}

import {
  createNoopMeter,
  metrics,
  trace,
  type Meter,
  type MeterProvider,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { z } from 'zod';
import { DbLockConfigurationError } from './lease/errors.js';
import { invalidRequest } from './lease/requests.js';
import { checkVersions, MANIFEST, ownVersion } from './lease/versions.js';
import { ClientMetrics } from './opentelemetry/client-metrics.js';
import { ClientSpans } from './opentelemetry/client-spans.js';
import { Instruments } from './opentelemetry/instruments.js';
import { ServerMetrics } from './opentelemetry/server-metrics.js';
import { ServerSpans } from './opentelemetry/server-spans.js';
import type { ClientTelemetry, ServerTelemetry, Telemetry } from './telemetry/telemetry.js';

export { METRICS, type Metric } from './opentelemetry/metrics.js';
export type { Telemetry } from './telemetry/telemetry.js';

export interface OpenTelemetryOptions {
  /** Default true. */
  metrics?: boolean;
  /** Default true, where somebody traces when the first feature starts. */
  traces?: boolean;
  /** Default: the global one, when the first feature starts. */
  meterProvider?: MeterProvider;
  /** Default: the global one. */
  tracerProvider?: TracerProvider;
  /**
   * What stands for a lock in metrics, as their attribute `db_lock.lock`: `(lockName) => lockName.split(':')[0]`. Undefined leaves a lock
   * without. Each label costs memory: beyond 200 of them, all others are `_OTHER`. Default: locks are not told apart.
   */
  lockLabel?(this: void, lockName: string): string | undefined;
  /**
   * How many durations of each series are recorded a second at least, where more come: 1 to Infinity, which records all. They are picked
   * evenly. Counters count everything. Default 100.
   */
  durationsPerSecond?: number;
  /** Ask the store how many locks are held, each time that metrics are collected: `db_lock.server.locks.held`. Default false. */
  countLocks?: boolean;
}

const SCOPE = 'nestjs-db-lock';

/** A provider that may have nobody to hand on to. */
interface Delegating {
  getDelegateTracer(this: TracerProvider, name: string): Tracer | undefined;
}

const isFlag = z.boolean({ error: 'must be true or false' });

/** @param method what it has */
const having = <Provider>(method: string) =>
  z.custom<Provider>((value) => typeof (value as Record<string, unknown> | null)?.[method] === 'function', {
    error: `must have the method ${method}`,
  });

const PER_SECOND = { error: 'must be a number from 1 on' };

const optionsSchema = z.strictObject({
  metrics: isFlag.default(true),
  traces: isFlag.default(true),
  meterProvider: having<MeterProvider>('getMeter').optional(),
  tracerProvider: having<TracerProvider>('getTracer').optional(),
  lockLabel: z
    .custom<(lockName: string) => string | undefined>((value) => typeof value === 'function', {
      error: 'must be a function that takes the name of a lock',
    })
    .optional(),
  durationsPerSecond: z.union([z.number().min(1), z.literal(Infinity)], PER_SECOND).default(100),
  countLocks: isFlag.default(false),
});

/**
 * Tells OpenTelemetry what goes on at locks, by metrics and spans:
 *
 *     DbLockModule.forRoot({ telemetry: openTelemetry() })
 *
 * Hand the same one to all features of a process. Register OpenTelemetry's SDK before the application starts, or nobody is told.
 * @throws DbLockConfigurationError naming the option that is wrong
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  checkVersions(MANIFEST, '@opentelemetry/api');
  const result = optionsSchema.safeParse(options);
  if (result.success) return new OpenTelemetry(result.data);
  const { field, rule } = invalidRequest(result.error.issues, 'options').issues[0]!;
  throw new DbLockConfigurationError(field, `${rule}.`);
}

class OpenTelemetry implements Telemetry {
  #instruments?: Instruments;
  readonly #clients = new Map<string, ClientTelemetry>();
  readonly #servers = new Map<string, ServerTelemetry>();

  constructor(private readonly options: z.output<typeof optionsSchema>) {}

  client(feature: string): ClientTelemetry {
    const known = this.#clients.get(feature);
    if (known) return known;
    const { lockLabel } = this.options;
    const spans = this.#isTraced ? new ClientSpans(this.#tracer, feature) : undefined;
    const client = new ClientMetrics(this.#made, feature, lockLabel, spans);
    this.#clients.set(feature, client);
    return client;
  }

  server(feature: string): ServerTelemetry {
    const known = this.#servers.get(feature);
    if (known) return known;
    const { lockLabel: labelOf, countLocks } = this.options;
    const spans = this.#isTraced ? new ServerSpans(this.#tracer, feature) : undefined;
    const server = new ServerMetrics(this.#made, { feature, labelOf, countLocks, traces: spans });
    this.#servers.set(feature, server);
    return server;
  }

  get #made(): Instruments {
    return (this.#instruments ??= new Instruments(this.#meter, this.options.durationsPerSecond));
  }

  get #meter(): Meter {
    const { metrics: isTold, meterProvider = metrics } = this.options;
    return isTold ? meterProvider.getMeter(SCOPE, ownVersion()) : createNoopMeter();
  }

  /** The global provider is there in any case: it hands on to that of an SDK, where there is one. */
  get #isTraced(): boolean {
    const { traces, tracerProvider = trace.getTracerProvider() } = this.options;
    const { getDelegateTracer } = tracerProvider as Partial<Delegating>;
    return traces && (!getDelegateTracer || getDelegateTracer.call(tracerProvider, SCOPE) !== undefined);
  }

  get #tracer() {
    return (this.options.tracerProvider ?? trace).getTracer(SCOPE, ownVersion());
  }
}

import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { openTelemetry } from 'nestjs-db-lock/opentelemetry';
import { openTold } from './support/told-locks.js';
import { unexported } from './support/unexported.js';

export const name = 'LockClient, with metrics, every duration';
export const plainName = 'LockClient, without telemetry';
export const settings = 'likewise, with durationsPerSecond: Infinity';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = () =>
  openTold(
    openTelemetry({
      traces: false,
      durationsPerSecond: Infinity,
      meterProvider: new MeterProvider({ readers: [unexported()] }),
    }),
  );

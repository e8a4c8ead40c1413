import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { openTelemetry } from 'nestjs-db-lock/opentelemetry';
import { openTold } from './support/told-locks.js';
import { unexported } from './support/unexported.js';

export const name = 'LockClient, with metrics';
export const plainName = 'LockClient, without telemetry';
export const settings =
  'locks in memory; metrics with their defaults, to the SDK of OpenTelemetry, collected once a second';

/** @type {import('../systems.js').SystemModule['open']} */
export const open = () =>
  openTold(openTelemetry({ traces: false, meterProvider: new MeterProvider({ readers: [unexported()] }) }));

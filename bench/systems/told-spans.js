import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { openTelemetry } from 'nestjs-db-lock/opentelemetry';
import { openTold } from './support/told-locks.js';

export const name = 'LockClient, with spans';
export const plainName = 'LockClient, without telemetry';
export const settings = 'locks in memory; every span is recorded, and none exported; no metrics';

/** @type {import('../systems.js').SystemModule['open']} */
export function open() {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return openTold(openTelemetry({ metrics: false, tracerProvider: new BasicTracerProvider() }));
}

import type { DataSource } from 'typeorm';
import type { ClientSettings } from '../client/basic-lock-client.js';
import { HttpTransport } from '../client/http-transport.js';
import { LocalTransport } from '../client/local-transport.js';
import { LockClient } from '../client/lock-client.js';
import type { LockEvents } from '../events/lock-events.js';
import { openGate } from '../gate/gate.js';
import { HistoryRecorder } from '../history/history-recorder.js';
import type { StoreClock } from '../lease/store-clock.js';
import { checkVersions, MANIFEST } from '../lease/versions.js';
import { defaultWorkerName } from '../lease/worker.js';
import { LockServer } from '../server/lock-server.js';
import type { LockStore } from '../store/lock-store.js';
import { databaseOf } from '../store/databases.js';
import type { FeatureSetUp } from './feature-set-up.js';
import { featureTables } from './feature-tables.js';
import type { CheckedOptions } from './options.js';

/** What a feature is put together of: by Nest, or by `createLockClient`. */

/** @throws DbLockConfigurationError naming a package whose version does not fit */
export function checkPeers({ model }: FeatureSetUp): void {
  checkVersions(
    MANIFEST,
    '@nestjs/common',
    '@nestjs/core',
    ...(model ? ['@nestjs/typeorm', 'typeorm', 'pg', 'mysql2'] : []),
  );
}

/** @throws DbLockConfigurationError, LockTableMissingError */
export async function openStore(
  source: DataSource,
  { feature, entities }: FeatureSetUp,
  { createTables, statementTimeout, clockTolerance, pooler }: CheckedOptions,
): Promise<LockStore> {
  const tables = await featureTables(source, feature, entities, createTables);
  return databaseOf(source).open(source, { tables, statementTimeout, clockTolerance, pooler });
}

/** The store behind a gate, if there is to be one. A gate that can't be opened closes the store, unless that was given as it is. */
export async function behindGate(
  store: LockStore,
  setUp: FeatureSetUp,
  { redis, telemetry }: CheckedOptions,
): Promise<LockStore> {
  if (!redis) return store;
  const isKept = store === setUp.store;
  const { feature } = setUp;
  return openGate(store, redis, feature, isKept, telemetry?.server(feature)).catch(async (error: unknown) => {
    if (!isKept) await store.close();
    throw error;
  });
}

export function recorderOf(
  store: LockStore,
  { history, telemetry }: CheckedOptions,
  events: LockEvents,
  clock: StoreClock,
): HistoryRecorder | undefined {
  if (!history) return undefined;
  return new HistoryRecorder(store.history, history, clock, telemetry?.server(events.feature));
}

export function serverOf(
  store: LockStore,
  { statementTimeout, knownBusy, maxQueued, telemetry }: CheckedOptions,
  events: LockEvents,
  recorder: HistoryRecorder | undefined,
  clock: StoreClock,
): LockServer {
  return new LockServer(store, {
    queueTimeout: statementTimeout,
    knownBusy,
    maxQueued,
    events,
    recorder,
    clock,
    telemetry: telemetry?.server(events.feature),
  });
}

/** The client of the server in this process. */
export const localClient = (options: CheckedOptions, events: LockEvents, server: LockServer) =>
  new LockClient(clientSettings(options, events), new LocalTransport(server));

/** The client of a remote server. */
export const remoteClient = (options: CheckedOptions, events: LockEvents) =>
  new LockClient(
    clientSettings(options, events),
    new HttpTransport({ ...options, apiServer: options.apiServer!, headers: headersOf(options, events) }),
  );

/** What each request to a remote server takes along of the caller's trace. */
export const headersOf = ({ telemetry }: CheckedOptions, { feature }: LockEvents) => {
  const traces = telemetry?.client(feature).traces;
  return traces && (() => traces.headers());
};

export function clientSettings(
  { ttl, workerName, retries, telemetry }: CheckedOptions,
  events: LockEvents,
): ClientSettings {
  return {
    ttl,
    workerName: workerName ?? defaultWorkerName(),
    retries,
    events,
    telemetry: telemetry?.client(events.feature),
  };
}

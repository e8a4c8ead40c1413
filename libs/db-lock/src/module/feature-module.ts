import type { DynamicModule, Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { CachedReads } from '../admin/cached-reads.js';
import { DjangoDbLockClient } from '../client/django-db-lock-client.js';
import { DjangoDbLockTransport } from '../client/django-db-lock-transport.js';
import { HttpTransport } from '../client/http-transport.js';
import { LocalTransport } from '../client/local-transport.js';
import { LockClient } from '../client/lock-client.js';
import { LockExplorer } from '../decorators/lock-explorer.js';
import { EventEmitterBridge } from '../events/event-emitter-bridge.js';
import { LockEvents } from '../events/lock-events.js';
import { openGate } from '../gate/gate.js';
import { defaultWorkerName } from '../lease/worker.js';
import { HistoryRecorder } from '../history/history-recorder.js';
import { LockServer } from '../server/lock-server.js';
import { StoreClock } from '../lease/store-clock.js';
import type { LockStore } from '../store/lock-store.js';
import { SqlLockStore } from '../store/sql-lock-store.js';
import { featureControllers } from './feature-controllers.js';
import { featurePage } from './feature-page.js';
import { featureSetUp, type FeatureSetUp } from './feature-set-up.js';
import { featureTables } from './feature-tables.js';
import { Lifecycle } from './lifecycle.js';
import {
  checkOptions,
  type CheckedOptions,
  type DbLockOptions,
  type DbLockStaticOptions,
} from './options.js';
import {
  CHECKED_OPTIONS,
  FEATURE_CONTROLLERS,
  FEATURE_SET_UP,
  HISTORY_RECORDER,
  LOCK_EVENTS,
  LOCK_STORE,
  MODULE_OPTIONS,
  OPENED_STORE,
} from './private-tokens.js';
import { checkRemote } from './remote-options.js';
import { StartUpCheck } from './start-up-check.js';
import {
  getDjangoDbLockClientToken,
  getLockClientToken,
  getLockEventsToken,
  getLockServerToken,
} from './tokens.js';

/** What a feature's module keeps to itself. */
const PRIVATE = new Set<unknown>([OPENED_STORE, LOCK_STORE, HISTORY_RECORDER, StoreClock]);

/** The module of one feature: what its static options ask for, on top of the options' provider. */
export function withFeature(definition: DynamicModule, options: DbLockStaticOptions): DynamicModule {
  const setUp = featureSetUp(options);
  const { local, model, entities, dataSource } = setUp;
  const imports = [DiscoveryModule, ...(definition.imports ?? []), ...(options.imports ?? [])];
  const shared = [eventsProvider(setUp), ...(local ? localProviders(setUp) : [remoteClient(setUp)])];
  const controllers = featureControllers(setUp);
  const page = featurePage(setUp, controllers);
  return {
    ...definition,
    global: options.isGlobal ?? false,
    imports: [
      ...imports,
      ...(model ? [TypeOrmModule.forFeature(Object.values(entities), dataSource)] : []),
      ...page.imports,
    ],
    controllers,
    providers: [
      ...(definition.providers ?? []),
      { provide: FEATURE_SET_UP, useValue: setUp },
      { provide: FEATURE_CONTROLLERS, useValue: controllers },
      {
        provide: CHECKED_OPTIONS,
        inject: [MODULE_OPTIONS],
        useFactory: (raw: DbLockOptions) => checkRemote(setUp, raw, checkOptions(raw)),
      },
      { provide: LOCK_EVENTS, useExisting: getLockEventsToken(setUp.feature) },
      ...shared,
      ...page.providers,
      EventEmitterBridge,
      LockExplorer,
      CachedReads,
      StartUpCheck,
      Lifecycle,
    ],
    exports: [
      ...shared.map(tokenOf).filter((token) => !PRIVATE.has(token)),
      ...(model ? [TypeOrmModule] : []),
    ],
  };
}

function eventsProvider({ feature }: FeatureSetUp): Provider {
  return { provide: getLockEventsToken(feature), useFactory: () => new LockEvents(feature) };
}

/** The store, the server on top of it, and the client of that server. */
function localProviders(setUp: FeatureSetUp): Provider[] {
  const { feature } = setUp;
  return [
    { provide: StoreClock, useFactory: () => new StoreClock() },
    storeProvider(setUp),
    {
      provide: LOCK_STORE,
      inject: [OPENED_STORE, CHECKED_OPTIONS],
      useFactory: async (store: LockStore, { redis }: CheckedOptions): Promise<LockStore> => {
        if (!redis) return store;
        const isKept = store === setUp.store;
        return openGate(store, redis, feature, isKept).catch(async (error: unknown) => {
          if (!isKept) await store.close();
          throw error;
        });
      },
    },
    {
      provide: HISTORY_RECORDER,
      inject: [LOCK_STORE, CHECKED_OPTIONS, StoreClock],
      useFactory: (store: LockStore, { history }: CheckedOptions, clock: StoreClock) =>
        history ? new HistoryRecorder(store.history, history, clock) : undefined,
    },
    {
      provide: getLockServerToken(feature),
      inject: [LOCK_STORE, CHECKED_OPTIONS, LOCK_EVENTS, HISTORY_RECORDER, StoreClock],
      useFactory: (
        store: LockStore,
        { statementTimeout, knownBusy, maxQueued }: CheckedOptions,
        events: LockEvents,
        recorder: HistoryRecorder | undefined,
        clock: StoreClock,
      ) =>
        new LockServer(store, {
          queueTimeout: statementTimeout,
          knownBusy,
          maxQueued,
          events,
          recorder,
          clock,
        }),
    },
    {
      provide: getLockClientToken(feature),
      inject: [CHECKED_OPTIONS, LOCK_EVENTS, getLockServerToken(feature)],
      useFactory: (options: CheckedOptions, events: LockEvents, server: LockServer) =>
        new LockClient(clientSettings(options, events), new LocalTransport(server)),
    },
  ];
}

/** The store that was given or is to be made, or the one in the application's database. */
function storeProvider({ feature, entities, dataSource, store }: FeatureSetUp): Provider {
  if (store && !('useFactory' in store)) return { provide: OPENED_STORE, useValue: store };
  if (store) {
    const { useFactory, inject = [] } = store;
    return {
      provide: OPENED_STORE,
      inject: [CHECKED_OPTIONS, ...inject], // what is wrong with the options shows before anything is opened
      useFactory: (_options: CheckedOptions, ...injected: unknown[]) => useFactory(...injected),
    };
  }
  return {
    provide: OPENED_STORE,
    inject: [CHECKED_OPTIONS, getDataSourceToken(dataSource)],
    useFactory: async (
      { createTables, statementTimeout, clockTolerance, pooler }: CheckedOptions,
      source: DataSource,
    ): Promise<LockStore> => {
      const tables = await featureTables(source, feature, entities, createTables);
      return SqlLockStore.open(source, { tables, statementTimeout, clockTolerance, pooler });
    },
  };
}

/** The client of a remote server. */
function remoteClient({ feature, protocol }: FeatureSetUp): Provider {
  if (protocol === 'django-db-lock')
    return {
      provide: getDjangoDbLockClientToken(feature),
      inject: [CHECKED_OPTIONS, LOCK_EVENTS],
      useFactory: (options: CheckedOptions, events: LockEvents) =>
        new DjangoDbLockClient(
          clientSettings(options, events),
          new DjangoDbLockTransport({ ...options, apiServer: options.apiServer! }),
        ),
    };
  return {
    provide: getLockClientToken(feature),
    inject: [CHECKED_OPTIONS, LOCK_EVENTS],
    useFactory: (options: CheckedOptions, events: LockEvents) =>
      new LockClient(
        clientSettings(options, events),
        new HttpTransport({ ...options, apiServer: options.apiServer! }),
      ),
  };
}

function clientSettings({ ttl, workerName, retries }: CheckedOptions, events: LockEvents) {
  return { ttl, workerName: workerName ?? defaultWorkerName(), retries, events };
}

function tokenOf(provider: Provider) {
  return typeof provider === 'function' ? provider : provider.provide;
}

import type { DynamicModule, Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { CachedReads } from '../admin/cached-reads.js';
import { DjangoDbLockClient } from '../client/django-db-lock-client.js';
import { DjangoDbLockTransport } from '../client/django-db-lock-transport.js';
import { LockExplorer } from '../decorators/lock-explorer.js';
import { EventEmitterBridge } from '../events/event-emitter-bridge.js';
import { LockEvents } from '../events/lock-events.js';
import { StoreClock } from '../lease/store-clock.js';
import type { LockStore } from '../store/lock-store.js';
import { checkDatabase } from './database-options.js';
import { featureControllers } from './feature-controllers.js';
import { featurePage } from './feature-page.js';
import { featureSetUp, type FeatureSetUp } from './feature-set-up.js';
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
import {
  behindGate,
  checkPeers,
  clientSettings,
  headersOf,
  localClient,
  openStore,
  recorderOf,
  remoteClient,
  serverOf,
} from './parts.js';
import { openInDatabase, PATIENTLY } from './own-database.js';
import { checkRemote } from './remote-options.js';
import { StartUpCheck } from './start-up-check.js';
import {
  forOtherCopies,
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
  checkPeers(setUp);
  const { local, model, database, entities, dataSource } = setUp;
  /** The tables are in a DataSource of the application. */
  const application = model && !database;
  const imports = [DiscoveryModule, ...(definition.imports ?? []), ...(options.imports ?? [])];
  const made = [eventsProvider(setUp), ...(local ? localProviders(setUp) : [remoteProvider(setUp)])];
  const shared = [...made, ...forOtherCopies(made.map(tokenOf))];
  const controllers = featureControllers(setUp);
  const page = featurePage(setUp, controllers);
  return {
    ...definition,
    global: options.isGlobal ?? false,
    imports: [
      ...imports,
      ...(application ? [TypeOrmModule.forFeature(Object.values(entities), dataSource)] : []),
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
      ...(application ? [TypeOrmModule] : []),
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
      useFactory: (store: LockStore, options: CheckedOptions) => behindGate(store, setUp, options),
    },
    {
      provide: HISTORY_RECORDER,
      inject: [LOCK_STORE, CHECKED_OPTIONS, LOCK_EVENTS, StoreClock],
      useFactory: recorderOf,
    },
    {
      provide: getLockServerToken(feature),
      inject: [LOCK_STORE, CHECKED_OPTIONS, LOCK_EVENTS, HISTORY_RECORDER, StoreClock],
      useFactory: serverOf,
    },
    {
      provide: getLockClientToken(feature),
      inject: [CHECKED_OPTIONS, LOCK_EVENTS, getLockServerToken(feature)],
      useFactory: localClient,
    },
  ];
}

/** The store that was given or is to be made, or the one in the application's database. */
function storeProvider(setUp: FeatureSetUp): Provider {
  const { dataSource, store, database } = setUp;
  if (store && !('useFactory' in store)) return { provide: OPENED_STORE, useValue: store };
  if (store) {
    const { useFactory, inject = [] } = store;
    return {
      provide: OPENED_STORE,
      inject: [CHECKED_OPTIONS, ...inject], // what is wrong with the options shows before anything is opened
      useFactory: (_options: CheckedOptions, ...injected: unknown[]) => useFactory(...injected),
    };
  }
  if (database) {
    const { useFactory, inject = [] } = 'useFactory' in database ? database : { useFactory: () => database };
    return {
      provide: OPENED_STORE,
      inject: [CHECKED_OPTIONS, ...inject],
      useFactory: async (options: CheckedOptions, ...injected: unknown[]) =>
        openInDatabase(checkDatabase(await useFactory(...injected)), setUp, options, PATIENTLY),
    };
  }
  return {
    provide: OPENED_STORE,
    inject: [CHECKED_OPTIONS, getDataSourceToken(dataSource)],
    useFactory: (options: CheckedOptions, source: DataSource) => openStore(source, setUp, options),
  };
}

function remoteProvider({ feature, protocol }: FeatureSetUp): Provider {
  const inject = [CHECKED_OPTIONS, LOCK_EVENTS];
  if (protocol === 'rest') return { provide: getLockClientToken(feature), inject, useFactory: remoteClient };
  return {
    provide: getDjangoDbLockClientToken(feature),
    inject,
    useFactory: (options: CheckedOptions, events: LockEvents) =>
      new DjangoDbLockClient(
        clientSettings(options, events),
        new DjangoDbLockTransport({
          ...options,
          apiServer: options.apiServer!,
          headers: headersOf(options, events),
        }),
      ),
  };
}

function tokenOf(provider: Provider) {
  return typeof provider === 'function' ? provider : provider.provide;
}

import type { DynamicModule, Provider } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { DjangoDbLockClient } from '../client/django-db-lock-client.js';
import { DjangoDbLockTransport } from '../client/django-db-lock-transport.js';
import { HttpTransport } from '../client/http-transport.js';
import { LocalTransport } from '../client/local-transport.js';
import { LockClient } from '../client/lock-client.js';
import { defaultWorkerName } from '../lease/worker.js';
import { LockServer } from '../server/lock-server.js';
import { SqlLockStore } from '../store/sql-lock-store.js';
import { featureControllers } from './feature-controllers.js';
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
  LOCK_STORE,
  MODULE_OPTIONS,
} from './private-tokens.js';
import { checkRemote } from './remote-options.js';
import { StartUpCheck } from './start-up-check.js';
import { getDjangoDbLockClientToken, getLockClientToken, getLockServerToken } from './tokens.js';

/** The module of one feature: what its static options ask for, on top of the options' provider. */
export function withFeature(definition: DynamicModule, options: DbLockStaticOptions): DynamicModule {
  const setUp = featureSetUp(options);
  const { model, entities, dataSource } = setUp;
  const imports = [...(definition.imports ?? []), ...(options.imports ?? [])];
  const tables = TypeOrmModule.forFeature(Object.values(entities), dataSource);
  const shared = model ? localProviders(setUp) : [remoteClient(setUp)];
  const controllers = featureControllers(setUp);
  return {
    ...definition,
    global: options.isGlobal ?? false,
    imports: model ? [...imports, tables] : imports,
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
      ...shared,
      StartUpCheck,
      Lifecycle,
    ],
    exports: [
      ...shared.map(tokenOf).filter((token) => token !== LOCK_STORE),
      ...(model ? [TypeOrmModule] : []),
    ],
  };
}

/** The store in the application's database, the server on top of it, and the client of that server. */
function localProviders({ feature, entities, dataSource }: FeatureSetUp): Provider[] {
  return [
    {
      provide: LOCK_STORE,
      inject: [CHECKED_OPTIONS, getDataSourceToken(dataSource)],
      useFactory: async ({ createTables, statementTimeout }: CheckedOptions, source: DataSource) => {
        const tables = await featureTables(source, feature, entities, createTables);
        return SqlLockStore.open(source, { tables, statementTimeout });
      },
    },
    {
      provide: getLockServerToken(feature),
      inject: [LOCK_STORE, CHECKED_OPTIONS],
      useFactory: (store: SqlLockStore, { statementTimeout }: CheckedOptions) =>
        new LockServer(store, { queueTimeout: statementTimeout }),
    },
    {
      provide: getLockClientToken(feature),
      inject: [CHECKED_OPTIONS, getLockServerToken(feature)],
      useFactory: (options: CheckedOptions, server: LockServer) =>
        new LockClient(clientSettings(options), new LocalTransport(server)),
    },
  ];
}

/** The client of a remote server. */
function remoteClient({ feature, protocol }: FeatureSetUp): Provider {
  if (protocol === 'django-db-lock')
    return {
      provide: getDjangoDbLockClientToken(feature),
      inject: [CHECKED_OPTIONS],
      useFactory: (options: CheckedOptions) =>
        new DjangoDbLockClient(
          clientSettings(options),
          new DjangoDbLockTransport({ ...options, apiServer: options.apiServer! }),
        ),
    };
  return {
    provide: getLockClientToken(feature),
    inject: [CHECKED_OPTIONS],
    useFactory: (options: CheckedOptions) =>
      new LockClient(
        clientSettings(options),
        new HttpTransport({ ...options, apiServer: options.apiServer! }),
      ),
  };
}

function clientSettings({ ttl, workerName, retries }: CheckedOptions) {
  return { ttl, workerName: workerName ?? defaultWorkerName(), retries };
}

function tokenOf(provider: Provider) {
  return typeof provider === 'function' ? provider : provider.provide;
}

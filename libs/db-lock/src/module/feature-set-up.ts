import type { Type } from '@nestjs/common';
import type { ResolvedAccess } from '../admin/access.js';
import type { ResolvedActor } from '../admin/actor.js';
import type { LockStore } from '../store/lock-store.js';
import {
  checkDatabase,
  checkFactory,
  type LockDatabase,
  type LockDatabaseFactory,
} from './database-options.js';
import type { DbLockStaticOptions, Guard, LockStoreFactory } from './options.js';
import { DbLockConfigurationError } from '../lease/errors.js';
import { checkFeature, DEFAULT_FEATURE } from '../model/feature.js';
import { LockBase } from '../model/lock-base.js';
import { featureEntities, type FeatureEntities } from '../model/lock.entity.js';

/** One feature as its static options say, checked, with defaults filled in. */
export interface FeatureSetUp {
  feature: string;
  /** Without slashes at its ends. */
  path: string;
  /** Its lock server is in this process. */
  local: boolean;
  /** Its locks are in tables of the application's database. */
  model: boolean;
  /** The database of these tables, where it is not one of the application's DataSources. */
  database?: LockDatabase | LockDatabaseFactory;
  /** Where its locks are instead. */
  store?: LockStore | LockStoreFactory;
  admin: boolean;
  services: boolean;
  entities: FeatureEntities;
  dataSource: string;
  guards: Guard[];
  adminGuards: Guard[];
  resolveAccess?: (request: object) => ResolvedAccess | Promise<ResolvedAccess>;
  resolveActor?: (request: object) => ResolvedActor | Promise<ResolvedActor>;
  public: boolean;
  protocol: 'rest' | 'django-db-lock';
}

const PATH = /^[\w~-][\w.~-]*(\/[\w~-][\w.~-]*)*$/;

/** @throws DbLockConfigurationError naming the option that is wrong or contradicts another. */
export function featureSetUp(options: DbLockStaticOptions): FeatureSetUp {
  const feature = checkFeature(options.feature ?? DEFAULT_FEATURE);
  const store = checkStore(options);
  const model = flag(options, 'autoRegisterModel', store === undefined);
  if (model && store)
    throw new DbLockConfigurationError('store', 'stands where the model would: drop autoRegisterModel.');
  const local = model || store !== undefined;
  const database = checkOwnDatabase(options, model);
  return {
    feature,
    path: checkPath(options.path ?? feature),
    local,
    model,
    database,
    store,
    admin: needsLocks(options, 'autoRegisterAdmin', local),
    services: needsLocks(options, 'autoRegisterServices', local),
    entities: {
      ...featureEntities(feature),
      ...(options.entity && { lock: checkEntity(options.entity, model) }),
    },
    dataSource: options.dataSource ?? 'default',
    guards: options.guards ?? [],
    adminGuards: options.adminGuards ?? [],
    resolveAccess: checkResolver(options, 'resolveAccess', 'an access'),
    resolveActor: checkResolver(options, 'resolveActor', 'a name'),
    public: flag(options, 'public', false),
    protocol: checkProtocol(options.protocol ?? 'rest', local),
  };
}

type Flag = 'autoRegisterModel' | 'autoRegisterAdmin' | 'autoRegisterServices' | 'public';

function flag(options: DbLockStaticOptions, option: Flag, byDefault: boolean): boolean {
  const value = options[option] ?? byDefault;
  if (typeof value === 'boolean') return value;
  throw new DbLockConfigurationError(option, 'must be true or false.');
}

function needsLocks(options: DbLockStaticOptions, option: Flag, local: boolean): boolean {
  const value = flag(options, option, local);
  if (value && !local)
    throw new DbLockConfigurationError(
      option,
      'needs the model: set autoRegisterModel to true, or this to false.',
    );
  return value;
}

/** What a store must have, as far as a look can tell. */
const STORE_METHODS = ['acquire', 'acquireSet', 'renew', 'release', 'inspect', 'close'] as const;

function checkStore({ store, entity, dataSource }: DbLockStaticOptions): DbLockStaticOptions['store'] {
  if (store === undefined) return undefined;
  const given = store as Partial<Record<string, unknown>> | null;
  const isStore = STORE_METHODS.every((method) => typeof given?.[method] === 'function');
  if (!isStore && typeof given?.['useFactory'] !== 'function')
    throw new DbLockConfigurationError('store', 'must be a LockStore, or have useFactory, which makes one.');
  if (entity !== undefined || dataSource !== undefined)
    throw new DbLockConfigurationError(
      entity === undefined ? 'dataSource' : 'entity',
      'is about tables, but store keeps the locks: drop one of the two.',
    );
  return store;
}

function checkOwnDatabase(
  { database, store, dataSource }: DbLockStaticOptions,
  model: boolean,
): FeatureSetUp['database'] {
  if (database === undefined) return undefined;
  const other = store === undefined ? (dataSource === undefined ? undefined : 'dataSource') : 'store';
  if (other)
    throw new DbLockConfigurationError(
      other,
      'says where locks are, and so does database: drop one of the two.',
    );
  if (!model)
    throw new DbLockConfigurationError('database', 'needs the model: set autoRegisterModel to true.');
  if (typeof (database as Partial<LockDatabaseFactory> | null)?.useFactory === 'function')
    checkFactory(database);
  else checkDatabase(database);
  return database;
}

function checkPath(path: string): string {
  const bare = typeof path === 'string' ? path.replaceAll(/^\/+|\/+$/g, '') : '';
  if (PATH.test(bare)) return bare;
  throw new DbLockConfigurationError(
    'path',
    `${JSON.stringify(path)} must be a plain path such as 'internal/locks'.`,
  );
}

function checkEntity(entity: Type<LockBase>, model: boolean): Type<LockBase> {
  if (!model) throw new DbLockConfigurationError('entity', 'needs the model: set autoRegisterModel to true.');
  if (typeof entity === 'function' && entity.prototype instanceof LockBase) return entity;
  throw new DbLockConfigurationError('entity', 'must be a class that extends LockBase.');
}

function checkResolver<Option extends 'resolveAccess' | 'resolveActor'>(
  options: DbLockStaticOptions,
  option: Option,
  what: string,
): DbLockStaticOptions[Option] {
  const resolve = options[option];
  if (resolve === undefined || typeof resolve === 'function') return resolve;
  throw new DbLockConfigurationError(option, `must be a function that takes a request and returns ${what}.`);
}

function checkProtocol(protocol: string, local: boolean): FeatureSetUp['protocol'] {
  if (protocol !== 'rest' && protocol !== 'django-db-lock')
    throw new DbLockConfigurationError('protocol', "must be 'rest' or 'django-db-lock'.");
  if (protocol !== 'rest' && local)
    throw new DbLockConfigurationError(
      'protocol',
      'is about a remote server: set autoRegisterModel to false.',
    );
  return protocol;
}

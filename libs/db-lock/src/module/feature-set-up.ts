import type { Type } from '@nestjs/common';
import type { ResolvedAccess } from '../admin/access.js';
import type { ResolvedActor } from '../admin/actor.js';
import type { DbLockStaticOptions, Guard } from './options.js';
import { DbLockConfigurationError } from '../lease/errors.js';
import { checkFeature, DEFAULT_FEATURE } from '../model/feature.js';
import { LockBase } from '../model/lock-base.js';
import { featureEntities, type FeatureEntities } from '../model/lock.entity.js';

/** One feature as its static options say, checked, with defaults filled in. */
export interface FeatureSetUp {
  feature: string;
  /** Without slashes at its ends. */
  path: string;
  model: boolean;
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
  const model = flag(options, 'autoRegisterModel', true);
  return {
    feature,
    path: checkPath(options.path ?? feature),
    model,
    admin: needsModel(options, 'autoRegisterAdmin', model),
    services: needsModel(options, 'autoRegisterServices', model),
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
    protocol: checkProtocol(options.protocol ?? 'rest', model),
  };
}

type Flag = 'autoRegisterModel' | 'autoRegisterAdmin' | 'autoRegisterServices' | 'public';

function flag(options: DbLockStaticOptions, option: Flag, byDefault: boolean): boolean {
  const value = options[option] ?? byDefault;
  if (typeof value === 'boolean') return value;
  throw new DbLockConfigurationError(option, 'must be true or false.');
}

function needsModel(options: DbLockStaticOptions, option: Flag, model: boolean): boolean {
  const value = flag(options, option, model);
  if (value && !model)
    throw new DbLockConfigurationError(
      option,
      'needs the model: set autoRegisterModel to true, or this to false.',
    );
  return value;
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

function checkProtocol(protocol: string, model: boolean): FeatureSetUp['protocol'] {
  if (protocol !== 'rest' && protocol !== 'django-db-lock')
    throw new DbLockConfigurationError('protocol', "must be 'rest' or 'django-db-lock'.");
  if (protocol !== 'rest' && model)
    throw new DbLockConfigurationError(
      'protocol',
      'is about a remote server: set autoRegisterModel to false.',
    );
  return protocol;
}

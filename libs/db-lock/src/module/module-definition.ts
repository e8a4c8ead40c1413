import { ConfigurableModuleBuilder } from '@nestjs/common';
import { DbLockConfigurationError } from '../lease/errors.js';
import { withFeature } from './feature-module.js';
import type { DbLockOptions, DbLockStaticOptions } from './options.js';
import { MODULE_OPTIONS } from './private-tokens.js';

/** The static options by name: whatever is not among them belongs to the options that may come later. */
export const STATIC_OPTIONS: Record<keyof DbLockStaticOptions, undefined> = {
  feature: undefined,
  path: undefined,
  autoRegisterModel: undefined,
  autoRegisterAdmin: undefined,
  autoRegisterServices: undefined,
  store: undefined,
  database: undefined,
  entity: undefined,
  dataSource: undefined,
  guards: undefined,
  adminGuards: undefined,
  resolveAccess: undefined,
  resolveActor: undefined,
  public: undefined,
  protocol: undefined,
  isGlobal: undefined,
  imports: undefined,
};

export const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<DbLockOptions>({
  moduleName: 'DbLock',
  optionsInjectionToken: MODULE_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createDbLockOptions')
  .setExtras<DbLockStaticOptions>(STATIC_OPTIONS, withFeature)
  .build();

/** Beside these and the static options, `forRootAsync` takes nothing. */
const ASYNC_KEYS = [
  'useFactory',
  'useClass',
  'useExisting',
  'inject',
  'imports',
  'provideInjectionTokensFrom',
];

/** @throws DbLockConfigurationError when an option of `forRootAsync` is missing or stands where it would be ignored. */
export function checkAsyncOptions(options: object): void {
  const stray = Object.keys(options).find((key) => !(key in STATIC_OPTIONS) && !ASYNC_KEYS.includes(key));
  if (stray !== undefined)
    throw new DbLockConfigurationError(stray, 'belongs into what the factory of forRootAsync() returns.');
  if (!['useFactory', 'useClass', 'useExisting'].some((key) => (options as Record<string, unknown>)[key]))
    throw new DbLockConfigurationError(
      'useFactory',
      'forRootAsync() needs useFactory, useClass or useExisting.',
    );
}

import { Module, type ConfigurableModuleAsyncOptions, type DynamicModule } from '@nestjs/common';
import { checkAsyncOptions, ConfigurableModuleClass } from './module/module-definition.js';
import type { DbLockModuleOptions, DbLockOptions, DbLockStaticOptions } from './module/options.js';

/** The options of `forRootAsync()`: the static ones, and a way to get the rest. */
export type DbLockModuleAsyncOptions = DbLockStaticOptions &
  ConfigurableModuleAsyncOptions<DbLockOptions, 'createDbLockOptions'>;

/**
 * Named locks in the application's database. Registers, for one feature, the Lock entity, the lock server with its REST
 * API, the admin, and a LockClient to inject. Register one for each feature.
 */
@Module({})
export class DbLockModule extends ConfigurableModuleClass {
  /** @throws DbLockConfigurationError naming the option that is wrong or contradicts another. */
  static override forRoot(options: DbLockModuleOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** As `forRoot`; what need not be known at once comes from `useFactory`, `useClass` or `useExisting`. */
  static override forRootAsync(options: DbLockModuleAsyncOptions): DynamicModule {
    checkAsyncOptions(options);
    return super.forRootAsync(options);
  }
}

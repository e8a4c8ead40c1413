import { Module, type DynamicModule, type InjectionToken } from '@nestjs/common';
import type { LockClient } from '../client/lock-client.js';
import { DbLockModule } from '../db-lock.module.js';
import type { LockEvents } from '../events/lock-events.js';
import { checkFeature, DEFAULT_FEATURE } from '../model/feature.js';
import type { DbLockModuleOptions } from '../module/options.js';
import { getLockClientToken, getLockEventsToken, getLockServerToken } from '../module/tokens.js';
import type { LockServer } from '../server/lock-server.js';
import { MemoryLockStore } from '../store/memory/memory-lock-store.js';
import { TestLocks } from './test-locks.js';

/** The options of `DbLockModule.forRoot()`, without those that say where locks are kept. */
export type DbLockTestingOptions = Omit<
  DbLockModuleOptions,
  | 'store'
  | 'redis'
  | 'entity'
  | 'dataSource'
  | 'database'
  | 'autoRegisterModel'
  | 'createTables'
  | 'clockTolerance'
  | 'pooler'
  | 'protocol'
  | 'apiServer'
  | 'apiToken'
  | 'requestTimeout'
  | 'acquireLockPath'
  | 'releaseLockPath'
>;

/**
 * DbLockModule over locks in memory, for tests: no database, and closed at once.
 *
 *     const module = await Test.createTestingModule({
 *       imports: [DbLockTestingModule.forRoot()],
 *       providers: [OrderService],
 *     }).compile();
 *     const locks = module.get(TestLocks);
 */
@Module({})
export class DbLockTestingModule {
  /** Serves no routes, and can be injected everywhere, unless the options say otherwise. */
  static forRoot(options: DbLockTestingOptions = {}): DynamicModule {
    const feature = checkFeature(options.feature ?? DEFAULT_FEATURE);
    const locks = DbLockModule.forRoot({
      autoRegisterAdmin: false,
      autoRegisterServices: false,
      isGlobal: true,
      ...options,
      store: { useFactory: () => new MemoryLockStore() },
    });
    return {
      module: DbLockTestingModule,
      imports: [locks],
      providers: [
        {
          provide: getTestLocksToken(feature),
          inject: [getLockClientToken(feature), getLockServerToken(feature), getLockEventsToken(feature)],
          useFactory: (client: LockClient, server: LockServer, events: LockEvents) =>
            new TestLocks(client, server, events),
        },
      ],
      exports: [locks, getTestLocksToken(feature)],
    };
  }
}

/** The injection token of a feature's TestLocks: the class itself for the default feature. */
export const getTestLocksToken = (feature: string = DEFAULT_FEATURE): InjectionToken =>
  feature === DEFAULT_FEATURE ? TestLocks : `TestLocks:${feature}`;

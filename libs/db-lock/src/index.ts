export { DbLockModule, type DbLockModuleAsyncOptions } from './db-lock.module.js';
export type {
  DbLockModuleOptions,
  DbLockOptions,
  DbLockOptionsFactory,
  DbLockStaticOptions,
  Guard,
} from './module/options.js';
export { LockTableMissingError } from './module/feature-tables.js';
export {
  getDjangoDbLockClientToken,
  getLockClientToken,
  getLockServerToken,
  InjectLockClient,
  InjectLockServer,
} from './module/tokens.js';

export type { AcquireOptions, BasicAcquireOptions } from './client/acquire-options.js';
export { BasicLease } from './client/basic-lease.js';
export { DjangoDbLockClient } from './client/django-db-lock-client.js';
export { Lease } from './client/lease.js';
export { LockClient } from './client/lock-client.js';
export type { LockInfo } from './client/lock-transport.js';

export { LockServer } from './server/lock-server.js';
export { ProblemFilter } from './server/problem.filter.js';

export * from './lease/errors.js';
export { MAX_TTL, type Duration } from './lease/duration.js';
export { MAX_METADATA_BYTES, type LockMetadata } from './lease/metadata.js';
export { MAX_NAME_LENGTH } from './lease/names.js';

export { LockBase } from './model/lock-base.js';
export { LockHistoryBase } from './model/lock-history-base.js';
export { dbLockEntities, Lock, LockHistory } from './model/lock.entity.js';
export { dbLockMigrations, dbLockSchemaSql, type MigrationOptions } from './model/migrations.js';

export type {
  AcquireAnswer,
  ErrorAnswer,
  ForceReleaseAnswer,
  ForceReleaseRequest,
  HistoryRecord,
  LeaseRecord,
  ListQuery,
  LockPage,
  LockRecord,
  LockState,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
  SortField,
  StateCounts,
} from './store/lock-store.js';

export { DbLockModule, type DbLockModuleAsyncOptions } from './db-lock.module.js';
export { createLockClient, type LockClientOptions } from './create-lock-client.js';
export type {
  DbLockModuleOptions,
  DbLockOptions,
  DbLockOptionsFactory,
  DbLockStaticOptions,
  Guard,
  LockStoreFactory,
} from './module/options.js';
export type {
  LockDatabase,
  LockDatabaseFactory,
  MysqlDatabase,
  PostgresDatabase,
  SqliteDatabase,
} from './module/database-options.js';
export type { AdminAccess, AdminRequest, ResolvedAccess } from './admin/access.js';
export type { ResolvedActor } from './admin/actor.js';
export { LockTableMissingError } from './module/table-columns.js';
export {
  getDjangoDbLockClientToken,
  getLockClientToken,
  getLockEventsToken,
  getLockServerToken,
  InjectLockClient,
  InjectLockEvents,
  InjectLockServer,
} from './module/tokens.js';

export type {
  AcquireOptions,
  BasicAcquireOptions,
  LockOfSet,
  LockWorkOptions,
  Reentrancy,
} from './client/acquire-options.js';
export { BasicLease } from './client/basic-lease.js';
export { DjangoDbLockClient } from './client/django-db-lock-client.js';
export { currentLease } from './client/lease-context.js';
export { Lease } from './client/lease.js';
export { LockClient } from './client/lock-client.js';
export { LeaseSet } from './client/lease-set.js';
export type { LockInfo } from './client/lock-transport.js';

export { CurrentLease } from './decorators/current-lease.js';
export { UseLock } from './decorators/use-lock.js';
export type { LockKey, UseLockOptions } from './decorators/use-lock-options.js';

export { LockEvents, type LockEvent, type LockEventType } from './events/lock-events.js';

export { LockServer } from './server/lock-server.js';
export {
  OperatorDesk,
  type EndedLease,
  type ForcedLock,
  type HistoryPage,
  type Overview,
  type Range,
} from './server/operator-desk.js';
export type {
  DeleteReleasedAct,
  EditAct,
  ForceReleaseAct,
  ForceReleaseAllAct,
  HoldAct,
} from './server/operator-acts.js';
export type { HistoryOptions } from './history/options.js';
export type { Percentiles } from './history/histogram.js';
export { ProblemFilter } from './server/problem.filter.js';

export * from './lease/errors.js';
export { MAX_TTL, MAX_WAIT, type Duration } from './lease/duration.js';
export { MAX_METADATA_BYTES, type LockMetadata } from './lease/metadata.js';
export { MAX_PERMITS, type LockMode, type ModeOptions, type Share } from './lease/modes.js';
export { MAX_NAME_LENGTH } from './lease/names.js';

export type { RedisOptions } from './gate/options.js';
export type { RedisClient } from './gate/redis-client.js';

export { LockBase } from './model/lock-base.js';
export { LockHistoryBase } from './model/lock-history-base.js';
export { LockHolderBase } from './model/lock-holder-base.js';
export { LockStatisticsBase } from './model/lock-statistics-base.js';
export { LockWaiterBase } from './model/lock-waiter-base.js';
export {
  dbLockEntities,
  Lock,
  LockHistory,
  LockHolding,
  LockStatistics,
  LockWaiter,
} from './model/lock.entity.js';
export { dbLockMigrations, dbLockSchemaSql, type MigrationOptions } from './model/migrations.js';

export type {
  AcquireAnswer,
  AcquireSetAnswer,
  ErrorAnswer,
  ExpiredLease,
  HolderRecord,
  Holding,
  InspectedLock,
  LeaseRecord,
  LockRecord,
  LockState,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
  Sharing,
} from './store/lock-store.js';
export type { DowngradeAnswer, SharedLocks } from './store/shared-locks.js';
export type {
  EditAnswer,
  EditRequest,
  ForceReleaseAnswer,
  ForceReleaseRequest,
  HoldAnswer,
  HoldRequest,
  ListQuery,
  LockDesk,
  LockFilter,
  LockGroup,
  LockPage,
  SortField,
  StateCounts,
} from './store/lock-desk.js';
export type {
  Changes,
  ContendedName,
  Counts,
  HistoryEntry,
  HistoryEvent,
  HistoryQuery,
  HistoryRecord,
  HistoryStore,
  Statistics,
  Tally,
  Waiting,
} from './store/history-store.js';
export type {
  NextInLine,
  PassAnswer,
  PassRequest,
  QueuedWaiter,
  QueuePlace,
  Waiter,
  WaitQueue,
  WakeUp,
  WakeUpListener,
  WakeUpMode,
} from './store/wait-queue.js';

import type { CanActivate, FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import { z } from 'zod';
import type { AdminRequest, ResolvedAccess } from '../admin/access.js';
import type { ResolvedActor } from '../admin/actor.js';
import { DEFAULT_TTL, durationSchema, ttlSchema, type Duration } from '../lease/duration.js';
import { historyOptionsSchema, type HistoryOptions } from '../history/options.js';
import { redisOptionsSchema, type RedisOptions } from '../gate/options.js';
import { DbLockConfigurationError } from '../lease/errors.js';
import { workerNameSchema } from '../lease/names.js';
import { invalidRequest } from '../lease/requests.js';
import type { LockBase } from '../model/lock-base.js';
import { MIN_IDLE, type LockStore } from '../store/lock-store.js';
import { text, type LockDatabase, type LockDatabaseFactory } from './database-options.js';
import type { Pooler } from '../store/database.js';
import { telemetrySchema, type Telemetry } from '../telemetry/telemetry.js';

/** A guard class, or an instance of one. */
export type Guard = Type<CanActivate> | CanActivate;

/** How to make a store of your own. It is closed with the application. */
export type LockStoreFactory = Pick<FactoryProvider<LockStore>, 'useFactory' | 'inject'>;

/** What must be known when the module is registered: it decides which entities, controllers and tokens there are. */
export interface DbLockStaticOptions {
  /** Names this set-up: its tables `<feature>_lock` and `<feature>_history`, its routes, its injection tokens. Default `dblock`. */
  feature?: string;
  /** The path of its routes, below the application's global prefix. Default: the feature's name. */
  path?: string;
  /** Register the Lock entity and keep locks in this application's database. Default true, without `store`; false needs `apiServer`. */
  autoRegisterModel?: boolean;
  /** Serve the admin under `<path>/admin`. Default: true where locks are kept here, by `autoRegisterModel` or `store`. */
  autoRegisterAdmin?: boolean;
  /** Serve the REST API and django-db-lock's paths under `<path>`. Default: likewise. */
  autoRegisterServices?: boolean;
  /**
   * Keep locks in a store of your own, instead of tables: a store, which stays open after the application, or how to make one:
   * `{ inject: [Settings], useFactory: (settings: Settings) => MyStore.open(settings) }`.
   */
  store?: LockStore | LockStoreFactory;
  /**
   * For applications without TypeORM: the database to keep locks in, `{ type: 'postgres', url }`, or how to get to know it:
   * `{ inject: [ConfigService], useFactory: (config: ConfigService) => ({ … }) }`. It is opened at the start, as TypeOrmModule would, and
   * closed with the application.
   */
  database?: LockDatabase | LockDatabaseFactory;
  /** An entity of your own that extends `LockBase`, instead of the feature's. */
  entity?: Type<LockBase>;
  /** The name of the TypeORM DataSource that holds the tables. Default: the default one. */
  dataSource?: string;
  /** Guards of the REST API and of django-db-lock's paths. */
  guards?: Guard[];
  /** Guards of the admin: of its page as of its API. */
  adminGuards?: Guard[];
  /**
   * What the sender of a request may do in the admin: `view`, `release` (and view) or `edit` (and both); null or undefined
   * is refused with 403. Called for each request after `adminGuards`, with the platform's request as these have left it:
   * `({ user }: { user: User }) => (user.isOperator ? 'edit' : 'view')`. What it throws refuses, too, and is logged; an HttpException
   * is answered as it is. Default: everybody whom `adminGuards` let in may edit.
   */
  resolveAccess?(this: void, request: AdminRequest): ResolvedAccess | Promise<ResolvedAccess>;
  /**
   * Who the sender of a request is in the history: 1 to 255 characters that nobody else can take; null, undefined or an empty string
   * is `unknown`. Called for each act, and to tell users who they are, with the platform's request as `adminGuards` have left it:
   * `({ user }: { user: User }) => user.login`. What it throws, and what is no such text, refuses the request before anything is
   * done, and is logged; an HttpException is answered as it is. Default: `username`, `email`, `id`, `sub` or `name` of `request.user`, the
   * first that there is.
   */
  resolveActor?(this: void, request: AdminRequest): ResolvedActor | Promise<ResolvedActor>;
  /** In production, serve what has no guard all the same: something else keeps strangers out. Default false. */
  public?: boolean;
  /** The contract that `apiServer` speaks. Default `rest`: our own. */
  protocol?: 'rest' | 'django-db-lock';
  /** Make the client and the server injectable everywhere. Default false. */
  isGlobal?: boolean;
  /** Modules that the guards need. */
  imports?: ModuleMetadata['imports'];
}

/** What may be known later, by `forRootAsync`. */
export interface DbLockOptions {
  /** TTL of a lease that names none: 1 ms to 30 days, in ms or as '30s'. Default 30 s. */
  ttl?: Duration;
  /** Who this process is to people who look at locks. Default host:pid:instance. */
  workerName?: string;
  /** Create missing tables at the start, and what an older history table lacks. Default false: tables are yours to migrate. */
  createTables?: boolean;
  /** Remove locks that nobody has used for so long: 1 minute to 10 years, in ms or as '7d'; false keeps them. Default 7 days. */
  retention?: Duration | false;
  /**
   * What happens to locks is recorded in a table beside theirs, off the requests' way, and shown in the admin. `false` records
   * only what operators do, and counts nothing. Default: the last 7 days, at most a million events.
   */
  history?: false | HistoryOptions;
  /** How long the database may take for a statement: 100 ms to 1 minute. Default 5 s. */
  statementTimeout?: Duration;
  /**
   * For how long a lease that was **not released** keeps others out after its end: 0 to 1 minute. Default 0. It bounds what a forward
   * step of the database's clock, or a failover to a host whose clock is ahead, can do: give the greatest offset between the clocks of
   * your database's hosts, and the same in all processes. Released locks, renewals and the holder's own deadline stay as they are.
   */
  clockTolerance?: Duration;
  /**
   * A Redis to ask before the database: `{ client }` or `{ url }`, with `prefix` and `timeout`. It may only say that a lock
   * is busy; whatever becomes of it costs time, never safety.
   */
  redis?: RedisOptions;
  /**
   * For how long this process may refuse a lock that it knows to be held without asking anybody, to those who don't
   * wait: 0 to 1 minute, never longer than the lease has left. Default 0. Where another process frees the lock, tries here are
   * refused for that long at most.
   */
  knownBusy?: Duration;
  /**
   * The most acquires that may queue for the database in this process: 1 to 1,000,000. More are refused at once with an
   * `OverloadedError`. Default 10,000.
   */
  maxQueued?: number;
  /**
   * Whether a pooler such as PgBouncer gives each transaction another session of the database: `transaction` or `none`.
   * Default: found out at the start. Behind one, each statement is a transaction of its own with unnamed statements, and
   * waiters look instead of being notified.
   */
  pooler?: Pooler;
  /**
   * Who is told, in metrics and spans, what goes on: `openTelemetry()` of `nestjs-db-lock/opentelemetry`. The same one may be handed to several
   * features. Default: nobody, and nothing is measured.
   */
  telemetry?: Telemetry;
  /** The address of a remote lock server, with its path: `https://locks.example.com/dblock`. */
  apiServer?: string;
  /** The bearer token for `apiServer`. */
  apiToken?: string;
  /** How long one HTTP attempt may take: 10 ms to 5 minutes. Default 5 s. */
  requestTimeout?: Duration;
  /** How often a request whose outcome is unknown is repeated, with the same grantId: 0 to 10. Default 2. */
  retries?: number;
  /** Relative to `apiServer`; for `protocol: 'django-db-lock'`. Default `acquireLock`. */
  acquireLockPath?: string;
  /** Relative to `apiServer`; for `protocol: 'django-db-lock'`. Default `releaseLock`. */
  releaseLockPath?: string;
}

/** The options of `DbLockModule.forRoot()`. */
export type DbLockModuleOptions = DbLockStaticOptions & DbLockOptions;

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface DbLockOptionsFactory {
  createDbLockOptions(): DbLockOptions | Promise<DbLockOptions>;
}

const DAY = 24 * 60 * 60 * 1000;

const MAX_QUEUED = 'must be a whole number from 1 to 1000000';

export const optionsSchema = z.strictObject({
  ttl: ttlSchema.default(DEFAULT_TTL),
  workerName: workerNameSchema.optional(),
  createTables: z.boolean({ error: 'must be true or false' }).default(false),
  retention: z.union([z.literal(false), durationSchema(MIN_IDLE, 3650 * DAY)]).default(7 * DAY),
  history: historyOptionsSchema,
  statementTimeout: durationSchema(100, MIN_IDLE).default(5_000),
  clockTolerance: durationSchema(0, MIN_IDLE).default(0),
  redis: redisOptionsSchema.optional(),
  knownBusy: durationSchema(0, 60_000).default(0),
  pooler: z.enum(['transaction', 'none'], { error: "must be 'transaction' or 'none'" }).optional(),
  maxQueued: z
    .int({ error: MAX_QUEUED })
    .min(1, { error: MAX_QUEUED })
    .max(1_000_000, { error: MAX_QUEUED })
    .default(10_000),
  telemetry: telemetrySchema.optional(),
  apiServer: z
    .url({
      protocol: /^https?$/,
      error: 'must be an http or https address such as https://locks.example.com/dblock',
    })
    .optional(),
  apiToken: text.optional(),
  requestTimeout: durationSchema(10, 300_000).default(5_000),
  retries: z
    .int({ error: 'must be a whole number from 0 to 10' })
    .min(0, { error: 'must be a whole number from 0 to 10' })
    .max(10, { error: 'must be a whole number from 0 to 10' })
    .default(2),
  acquireLockPath: text.default('acquireLock'),
  releaseLockPath: text.default('releaseLock'),
});

/** The options, checked, with their defaults; durations in milliseconds. */
export type CheckedOptions = z.output<typeof optionsSchema>;

/** @throws DbLockConfigurationError naming the first option that breaks a rule. */
export function checkOptions(options: DbLockOptions): CheckedOptions {
  const result = optionsSchema.safeParse(options);
  if (result.success) return result.data;
  const { field, rule } = invalidRequest(result.error.issues, 'options').issues[0]!;
  throw new DbLockConfigurationError(field, `${rule}.`);
}

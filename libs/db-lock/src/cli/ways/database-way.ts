import { existsSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Observable } from 'rxjs';
import { ChangeFeed } from '../../admin/change-feed.js';
import { toEndedLeaseJson, toHistoryJson } from '../../admin/schemas.js';
import { LockClient } from '../../client/lock-client.js';
import { LockEvents } from '../../events/lock-events.js';
import { DbLockError } from '../../lease/errors.js';
import { checkDatabase, type LockDatabase } from '../../module/database-options.js';
import { featureSetUp } from '../../module/feature-set-up.js';
import { checkOptions } from '../../module/options.js';
import { openOwnServer, type OwnServer } from '../../module/own-server.js';
import { checkPeers, clientSettings } from '../../module/parts.js';
import type { OperatorDesk } from '../../server/operator-desk.js';
import { toInspectedLockJson, toLockPageJson } from '../../server/schemas.js';
import { NodeSqlite } from '../../store/sqlite/node-sqlite.js';
import { SetUpError, UnreachableError, UsageError } from '../errors.js';
import type { DatabasePlace } from '../place.js';
import type {
  Change,
  EndedLeaseJson,
  ForceReleaseRequest,
  HistoryJson,
  HistoryQuery,
  InspectedLockJson,
  ListQuery,
  LockPageJson,
  Way,
} from './way.js';

/** What is old is for the application to remove, which knows how long to keep it. */
const KEPT = { retention: false, history: { retention: '3650d', maxRows: 1_000_000_000 } } as const;

/**
 * @param mayCreate - tables that are missing, and a file that is
 * @throws DbLockError, UsageError, SetUpError, UnreachableError
 */
export async function openDatabaseWay(place: DatabasePlace, mayCreate: boolean): Promise<Way> {
  const { feature, clockTolerance } = place;
  const setUp = featureSetUp({ feature, autoRegisterAdmin: false, autoRegisterServices: false });
  checkPeers(setUp);
  const options = checkOptions({ ...KEPT, clockTolerance, createTables: mayCreate });
  const events = new LockEvents(feature);
  const database = checkDatabase(await databaseOf(place, mayCreate));
  const transport = await openOwnServer(database, setUp, options, events).catch((error: unknown) => {
    throw asFault(error, place);
  });
  return new DatabaseWay(
    nameOf(place),
    new LockClient(clientSettings(options, events), transport),
    transport,
  );
}

/** The way into a database, by a lock server in this process. */
class DatabaseWay implements Way {
  constructor(
    readonly to: string,
    readonly client: LockClient,
    readonly transport: OwnServer,
  ) {}

  async page(query: ListQuery): Promise<LockPageJson> {
    const page = await this.#desk.list(query as Parameters<OperatorDesk['list']>[0]);
    return toLockPageJson(page) as LockPageJson;
  }

  async inspect(lockName: string): Promise<InspectedLockJson | null> {
    const lock = await this.transport.server.inspect(lockName);
    return lock && (toInspectedLockJson(lock) as InspectedLockJson);
  }

  async history(lockName: string, query: HistoryQuery): Promise<HistoryJson> {
    return toHistoryJson(await this.#desk.history(lockName, query));
  }

  async forceRelease(lockName: string, request: ForceReleaseRequest): Promise<EndedLeaseJson> {
    return toEndedLeaseJson(
      lockName,
      await this.#desk.forceRelease({ ...request, lockName, actor: operator() }),
    );
  }

  async *changes(signal: AbortSignal): AsyncIterable<Change> {
    const feed = new ChangeFeed(this.#desk, true);
    try {
      for await (const { type, data } of eachOf(feed.watch(), signal)) yield { type, ...data } as Change;
    } finally {
      feed.close();
    }
  }

  ping(): Promise<void> {
    return this.transport.server.ping();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client.close();
  }

  get #desk(): OperatorDesk {
    return this.transport.server.desk;
  }
}

/** Who the history says has done it. */
const operator = () => `${userInfo().username}@${hostname()}`.slice(0, 255);

async function* eachOf<Value>(source: Observable<Value>, signal: AbortSignal): AsyncGenerator<Value> {
  const values = new PassThrough({ objectMode: true });
  const subscription = source.subscribe({
    next: (value) => values.write(value),
    error: (error: Error) => values.destroy(error),
    complete: () => values.end(),
  });
  const end = () => values.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    yield* values as AsyncIterable<Value>;
  } finally {
    signal.removeEventListener('abort', end);
    subscription.unsubscribe();
  }
}

async function databaseOf(place: DatabasePlace, mayCreate: boolean): Promise<LockDatabase> {
  const { url, schema, entityPrefix } = place;
  const type = protocolOf(url);
  if (type === 'sqlite') {
    const database = fileOf(url);
    if (!mayCreate && !existsSync(database))
      throw new UnreachableError(`There is no file ${database}: db-lock migrate makes it, with the tables.`);
    if (schema !== undefined) throw new UsageError('--schema is about PostgreSQL.');
    return { type: 'better-sqlite3', database, driver: await sqliteDriver(), entityPrefix };
  }
  if (type === 'mysql' || type === 'mariadb') {
    if (schema !== undefined)
      throw new UsageError(
        '--schema is about PostgreSQL: in MySQL and MariaDB it is the database of the address.',
      );
    return { type, url, entityPrefix };
  }
  return { type: 'postgres', url, schema, entityPrefix };
}

/** `postgres` of `postgres://…`. */
const protocolOf = (url: string): string => new URL(url).protocol.slice(0, -1);

/** Of `sqlite:locks.db` or `sqlite:///var/lib/locks.db`. */
const fileOf = (url: string): string => resolve(decodeURIComponent(new URL(url).pathname));

/** That of Node.js, else one that is installed. */
async function sqliteDriver(): Promise<unknown> {
  if (silently(() => NodeSqlite.isThere)) return NodeSqlite;
  // Without either of the two, TypeORM says that it needs better-sqlite3.
  return import('libsql').then((libsql) => libsql.default as unknown).catch(() => undefined);
}

/** Node.js 22 warns of its SQLite when it is first looked for: cron would send that by mail, each time. */
function silently<Result>(look: () => Result): Result {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return look();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Which database it is, for people. */
function nameOf({ url }: DatabasePlace): string {
  if (protocolOf(url) === 'sqlite') return fileOf(url);
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Why the database can't be used. */
function asFault(error: unknown, place: DatabasePlace): Error {
  if (error instanceof DbLockError) return error;
  const { name, message } = error as Error;
  if (name === 'DriverPackageNotInstalledError') return new SetUpError(message);
  return new UnreachableError(`${nameOf(place)} can't be reached: ${reasonIn(error)}`);
}

/** Node gives one error for all addresses of a host, which says nothing by itself. */
function reasonIn(error: unknown): string {
  const { message, code, errors } = error as Error & { code?: string; errors?: unknown[] };
  if (message !== '') return message;
  return errors?.length ? reasonIn(errors[0]) : (code ?? 'no reason is given');
}

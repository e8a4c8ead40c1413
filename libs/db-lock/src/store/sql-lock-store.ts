import type { DataSource } from 'typeorm';
import type { AcquireRequest, ReleaseRequest, RenewRequest } from '../lease/requests.js';
import type { TableNames } from '../model/schema-sql.js';
import { answerEach, repeatConflicts, unavailable } from './batch.js';
import { Lane } from './lane.js';
import type {
  AcquireAnswer,
  ForceReleaseAnswer,
  ForceReleaseRequest,
  HistoryRecord,
  ListQuery,
  LockPage,
  LockRecord,
  LockState,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
  StateCounts,
} from './lock-store.js';
import { ownDataSource, sharesOneSession } from './own-data-source.js';
import { postgresStatements, type LockStatements, type Purpose, type Statement } from './postgres.dialect.js';
import { toHistory, toLease, toLock, type HistoryRow, type LockRow } from './rows.js';

export interface SqlLockStoreOptions {
  tables: TableNames;
  /** Milliseconds after which the database gives a statement up. */
  statementTimeout: number;
}

/** Milliseconds that a statement waits for a row that somebody else has locked; ours hold one for less than one. */
const ROW_LOCK_TIMEOUT = 1000;

/** Pages of the table that one clean-up statement goes through: a few thousand rows, a few milliseconds. */
const CHUNK = 128;

/** Locks in a table of a TypeORM DataSource, over connections of the store's own. */
export class SqlLockStore implements LockStore {
  readonly #lanes: Record<Purpose, Lane>;
  readonly #sql: LockStatements;
  readonly #patience: number;

  private constructor(
    private readonly connections: DataSource,
    { tables, statementTimeout }: SqlLockStoreOptions,
  ) {
    this.#sql = postgresStatements(tables);
    this.#patience = statementTimeout;
    const lane = (purpose: Purpose) =>
      new Lane(connections, {
        purpose,
        timeouts: { statement: statementTimeout, rowLock: Math.min(ROW_LOCK_TIMEOUT, statementTimeout) },
        sharedSession: sharesOneSession(connections),
      });
    this.#lanes = { acquire: lane('acquire'), release: lane('release'), desk: lane('desk') };
  }

  /** A store that connects as the application's DataSource does, and leaves that one alone. */
  static async open(dataSource: DataSource, options: SqlLockStoreOptions): Promise<SqlLockStore> {
    return new SqlLockStore(await ownDataSource(dataSource, options.statementTimeout), options);
  }

  acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    return answerEach(requests, this.#patience, async (batch) => {
      const rows = await this.#lanes.acquire.run<LockRow & { decided: boolean; repeated: boolean }>(
        this.#sql.acquire,
        [
          batch.map((request) => request.lockName),
          batch.map((request) => request.workerName),
          batch.map((request) => request.grantId),
          batch.map((request) => request.ttl),
          batch.map((request) => request.metadata && JSON.stringify(request.metadata)),
        ],
      );
      const byName = new Map<string, (typeof rows)[number]>();
      for (const row of rows) if (row.decided || !byName.has(row.lock_name)) byName.set(row.lock_name, row);
      return batch.map(({ lockName, grantId }): AcquireAnswer => {
        const row = byName.get(lockName)!;
        const lease = toLease(row);
        return row.decided && lease.grantId === grantId
          ? { outcome: 'granted', lease, repeated: row.repeated }
          : { outcome: 'busy', holder: lease };
      });
    });
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return answerEach(requests, this.#patience, async (batch) => {
      const rows = await this.#lanes.acquire.run<LockRow>(this.#sql.renew, [
        batch.map((request) => request.lockName),
        batch.map((request) => request.grantId),
        batch.map((request) => request.ttl),
      ]);
      const byName = new Map(rows.map((row) => [row.lock_name, row]));
      return batch.map(({ lockName }): RenewAnswer => {
        const row = byName.get(lockName);
        return row ? { outcome: 'renewed', lease: toLease(row) } : { outcome: 'lost' };
      });
    });
  }

  release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]> {
    return answerEach(requests, this.#patience, async (batch) => {
      const rows = await this.#lanes.release.run<Pick<LockRow, 'lock_name'>>(this.#sql.release, [
        batch.map((request) => request.lockName),
        batch.map((request) => ('grantId' in request ? request.grantId : null)),
        batch.map((request) => ('workerName' in request ? request.workerName : null)),
      ]);
      const released = new Set(rows.map((row) => row.lock_name));
      return batch.map(({ lockName }): ReleaseAnswer => ({
        outcome: released.has(lockName) ? 'released' : 'lost',
      }));
    });
  }

  forceRelease(requests: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]> {
    return answerEach(requests, this.#patience, async (batch) => {
      const rows = await this.#lanes.desk.run<LockRow>(this.#sql.forceRelease, [
        batch.map((request) => request.lockName),
        batch.map((request) => request.actor),
        batch.map((request) => request.reason),
      ]);
      const byName = new Map(rows.map((row) => [row.lock_name, row]));
      return batch.map(({ lockName }): ForceReleaseAnswer => {
        const row = byName.get(lockName);
        return row ? { outcome: 'forced', holder: toLease(row) } : { outcome: 'free' };
      });
    });
  }

  async inspect(lockNames: readonly string[]): Promise<Array<LockRecord | null>> {
    const rows = await this.#ask<LockRow & { state: LockState }>(this.#sql.inspect, [lockNames]);
    const byName = new Map(rows.map((row) => [row.lock_name, toLock(row)]));
    return lockNames.map((lockName) => byName.get(lockName) ?? null);
  }

  async list({ search, state, sort, order, page, pageSize }: ListQuery): Promise<LockPage> {
    const filter = [search ? containing(search) : null, state ?? null];
    const [rows, totals] = await Promise.all([
      this.#ask<LockRow & { state: LockState }>(this.#sql.list({ sort, order }), [
        ...filter,
        pageSize,
        (page - 1) * pageSize,
      ]),
      this.#ask<{ total: string }>(this.#sql.listTotal, filter),
    ]);
    return { items: rows.map(toLock), total: Number(totals[0]!.total) };
  }

  async countByState(): Promise<StateCounts> {
    const rows = await this.#ask<{ state: LockState; total: string }>(this.#sql.countByState, []);
    const counts: StateCounts = { held: 0, expired: 0, released: 0 };
    for (const { state, total } of rows) counts[state] = Number(total);
    return counts;
  }

  async history(lockName: string, limit: number): Promise<HistoryRecord[]> {
    return (await this.#ask<HistoryRow>(this.#sql.history, [lockName, limit])).map(toHistory);
  }

  clearExpired(): Promise<number> {
    return this.#inChunks((from, to) => this.#ask(this.#sql.clearExpired, [from, to]));
  }

  removeIdle(retention: number): Promise<number> {
    return this.#inChunks((from, to) => this.#ask(this.#sql.removeIdle, [from, to, retention]));
  }

  async ping(): Promise<void> {
    await this.#ask(this.#sql.ping, []);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#lanes).map((lane) => lane.close()));
    await this.connections.destroy();
  }

  async #ask<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    try {
      return await repeatConflicts(() => this.#lanes.desk.run<Row>(statement, values));
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Goes through the table page by page, each chunk in a transaction of its own. */
  async #inChunks(work: (fromPage: number, toPage: number) => Promise<unknown[]>): Promise<number> {
    const [size] = await this.#ask<{ pages: string }>(this.#sql.pages, []);
    let total = 0;
    for (let page = 0; page < Number(size!.pages); page += CHUNK)
      total += (await work(page, page + CHUNK)).length;
    return total;
  }
}

/** An ILIKE pattern that finds the text anywhere. */
function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
}

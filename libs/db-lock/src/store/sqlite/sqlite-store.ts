import type { DataSource } from 'typeorm';
import type { AcquireRequest, ReleaseRequest, RenewRequest } from '../../lease/requests.js';
import { answerEach, errorAnswer, type BatchOptions } from '../batch.js';
import type { StoreOptions } from '../database.js';
import {
  MAX_QUEUE_SHOWN,
  type AcquireAnswer,
  type AcquireSetAnswer,
  type InspectedLock,
  type LockStore,
  type ReleaseAnswer,
  type RenewAnswer,
} from '../lock-store.js';
import { holdersOf, toLock, toTime, type LookRow } from '../rows.js';
import { Connection } from './connection.js';
import { deskStatements } from './desk.sql.js';
import { FAULTS } from './errors.js';
import { historyStatements } from './history.sql.js';
import { leaseOf, Leases, type Row } from './leases.js';
import { lockStatements, type LockStatements } from './locks.sql.js';
import { queueStatements } from './queue.sql.js';
import { Reader } from './reader.js';
import { SqliteDesk } from './sqlite-desk.js';
import { SqliteHistory } from './sqlite-history.js';
import { SqliteWaitQueue } from './sqlite-wait-queue.js';

/** Locks in a file, which several processes of one host may share. */
export class SqliteStore implements LockStore {
  readonly clockTolerance: number;
  readonly queue: SqliteWaitQueue;
  readonly desk: SqliteDesk;
  readonly history: SqliteHistory;
  readonly #sql: LockStatements;
  readonly #deskSql: ReturnType<typeof deskStatements>;
  readonly #leases: Leases;
  readonly #batches: BatchOptions;
  readonly #reader: Reader;

  private constructor(
    private readonly connection: Connection,
    { tables, statementTimeout, clockTolerance = 0 }: StoreOptions,
  ) {
    const queue = queueStatements(tables);
    this.clockTolerance = clockTolerance;
    this.#sql = lockStatements(tables);
    this.#deskSql = deskStatements(tables, clockTolerance * 1000);
    this.#batches = { faults: FAULTS, patience: statementTimeout };
    this.#leases = new Leases(connection, { ...this.#sql, queue }, clockTolerance);
    this.#reader = new Reader(connection, this.#sql);
    this.queue = new SqliteWaitQueue(connection, queue, this.#leases, this.#batches);
    this.desk = new SqliteDesk(this.#deskSql, this.#leases, this.#reader, this.#batches);
    this.history = new SqliteHistory(
      { ...historyStatements(tables), look: this.#deskSql.look },
      this.#reader,
    );
  }

  static async open(dataSource: DataSource, options: StoreOptions): Promise<SqliteStore> {
    return new SqliteStore(await Connection.open(dataSource, options.statementTimeout), options);
  }

  acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    return answerEach(requests, this.#batches, (batch) =>
      this.connection.write('durable', (now) => {
        const waiting = this.#leases.isAnybodyWaiting(now);
        return batch.map((request) => this.#leases.acquire(request, now, waiting));
      }),
    );
  }

  async acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    try {
      return await this.connection.write('durable', (now) => this.#acquireSet(requests, now));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return answerEach(requests, this.#batches, (batch) =>
      this.connection.write('durable', (now) => batch.map((request) => this.#renew(request, now))),
    );
  }

  release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]> {
    return answerEach(requests, this.#batches, (batch) =>
      this.connection.write('lazy', (now) => {
        const waiting = this.#leases.isAnybodyWaiting(now);
        return batch.map((request) => this.#release(request, now, waiting));
      }),
    );
  }

  async inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>> {
    return this.#reader.read((now) => lockNames.map((lockName) => this.#inspect(lockName, now)));
  }

  removeIdle(retention: number): Promise<number> {
    return this.#reader.writeInSlices('lazy', (slice, now) =>
      this.connection.run(this.#sql.removeIdle, { ...slice, idleSince: now - retention * 1000 }),
    );
  }

  async ping(): Promise<void> {
    await this.#reader.read(() => this.connection.get('SELECT 1'));
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  #acquireSet(requests: readonly AcquireRequest[], now: number): AcquireSetAnswer {
    const rows = requests.map(({ lockName }) => this.#leases.row(lockName, now));
    for (const [index, request] of requests.entries()) {
      const row = rows[index];
      const holder = row && this.#leases.holderFor(request, row, now);
      if (holder) return { outcome: 'busy', holder };
    }
    const granted = requests.map((request, index) => this.#leases.grant(request, rows[index], now, true));
    return {
      outcome: 'granted',
      leases: granted.map(({ lease }) => lease),
      repeated: granted.every(({ repeated }) => repeated),
      expired: granted.flatMap(({ expired }) => expired ?? []),
    };
  }

  #renew({ lockName, grantId, ttl, held }: RenewRequest, now: number): RenewAnswer {
    const token = held?.fencingToken ?? null;
    const row = this.connection.get<Row>(this.#sql.renew, { lockName, grantId, ttl: ttl * 1000, token, now });
    return row ? { outcome: 'renewed', lease: leaseOf(row) } : { outcome: 'lost', serverTime: toTime(now) };
  }

  #release(request: ReleaseRequest, now: number, isAnybodyWaiting: boolean): ReleaseAnswer {
    const serverTime = toTime(now);
    const grantId = 'grantId' in request ? request.grantId : this.#grantOf(request, now);
    const released =
      grantId === undefined
        ? undefined
        : this.#leases.release({ ...request, grantId }, now, isAnybodyWaiting);
    return released
      ? { outcome: 'released', grantId: grantId!, next: released.next, serverTime }
      : { outcome: 'lost', serverTime };
  }

  /** The live lease of a worker, for those who know no grantId. */
  #grantOf(
    { lockName, workerName }: Extract<ReleaseRequest, { workerName: string }>,
    now: number,
  ): string | undefined {
    const row = this.#leases.row(lockName, now);
    const isTheirs = row?.worker_name === workerName && row.expire_time > now;
    return (isTheirs && row.grant_id) || undefined;
  }

  #inspect(lockName: string, now: number): InspectedLock | null {
    const row = this.connection.get<LookRow>(this.#deskSql.look, { lockName, now });
    if (!row) return null;
    const queue = this.connection.all<{ worker_name: string; ticket: number }>(this.#deskSql.queue, {
      lockName,
      limit: MAX_QUEUE_SHOWN,
      now,
    });
    return {
      ...toLock(row),
      holders: holdersOf(row, []),
      queue: queue.map(({ worker_name, ticket }) => ({ workerName: worker_name, since: toTime(ticket) })),
    };
  }
}

import type { DataSource } from 'typeorm';
import {
  isShared,
  SHARED_GRANT,
  type AcquireRequest,
  type ReleaseRequest,
  type RenewRequest,
  type SharedRequest,
} from '../../lease/requests.js';
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
import { holdersOf, toLock, toShare, toTime, type LookRow } from '../rows.js';
import { Connection } from './connection.js';
import { deskStatements } from './desk.sql.js';
import { FAULTS } from './errors.js';
import { historyStatements } from './history.sql.js';
import { leaseOf, Leases, type Granted, type Row } from './leases.js';
import { lockStatements, type LockStatements } from './locks.sql.js';
import { queueStatements } from './queue.sql.js';
import { Reader, type Slice } from './reader.js';
import { sharedStatements, type SharedStatements } from './shared.sql.js';
import { Sharers } from './sharers.js';
import { SqliteDesk } from './sqlite-desk.js';
import { SqliteHistory } from './sqlite-history.js';
import { SqliteSharedLocks } from './sqlite-shared-locks.js';
import { SqliteWaitQueue } from './sqlite-wait-queue.js';

/** Locks in a file, which several processes of one host may share. */
export class SqliteStore implements LockStore {
  readonly clockTolerance: number;
  readonly queue: SqliteWaitQueue;
  readonly shared: SqliteSharedLocks;
  readonly desk: SqliteDesk;
  readonly history: SqliteHistory;
  readonly #sql: LockStatements;
  readonly #deskSql: ReturnType<typeof deskStatements>;
  readonly #sharedSql: SharedStatements;
  readonly #leases: Leases;
  readonly #sharers: Sharers;
  readonly #batches: BatchOptions;
  readonly #reader: Reader;

  private constructor(
    private readonly connection: Connection,
    { tables, statementTimeout, clockTolerance = 0 }: StoreOptions,
  ) {
    const queue = queueStatements(tables, clockTolerance * 1000);
    this.clockTolerance = clockTolerance;
    this.#sql = lockStatements(tables);
    this.#deskSql = deskStatements(tables, clockTolerance * 1000);
    this.#sharedSql = sharedStatements(tables, clockTolerance * 1000);
    this.#batches = { faults: FAULTS, patience: statementTimeout };
    this.#leases = new Leases(connection, { ...this.#sql, queue }, clockTolerance);
    const { leftQueue } = queue;
    this.#sharers = new Sharers(connection, { ...this.#sharedSql, leftQueue }, this.#leases);
    this.#reader = new Reader(connection, this.#sql);
    this.queue = new SqliteWaitQueue(connection, queue, this.#leases, this.#batches);
    this.shared = new SqliteSharedLocks(connection, this.#sharers, this.#batches);
    this.desk = new SqliteDesk(this.#deskSql, this.#leases, this.#sharers, this.#reader, this.#batches);
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

  async removeIdle(retention: number): Promise<number> {
    const remove = (sql: string) => (slice: Slice, now: number) =>
      this.connection.run(sql, { ...slice, idleSince: now - retention * 1000 });
    await this.#reader.writeInSlices('lazy', remove(this.#sharedSql.removeIdle), this.#sharedSql.slice);
    return this.#reader.writeInSlices('lazy', remove(this.#sql.removeIdle));
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
      const holder = isShared(request)
        ? this.#sharers.obstacleTo(request, now)
        : row && this.#leases.holderFor(request, row, now);
      if (holder) return { outcome: 'busy', holder };
    }
    const granted = requests.map((request, index) =>
      isShared(request) ? this.#share(request, now) : this.#leases.grant(request, rows[index], now, true),
    );
    return {
      outcome: 'granted',
      leases: granted.map(({ lease }) => lease),
      repeated: granted.every(({ repeated }) => repeated),
      expired: granted.flatMap(({ expired, alsoExpired = [] }) => [
        ...(expired ? [expired] : []),
        ...alsoExpired,
      ]),
    };
  }

  /** Grants a lock of a set that nobody keeps from the one who asks. If somebody did, nothing of the set would be written. */
  #share(request: SharedRequest, now: number): Granted {
    const [answer] = this.#sharers.acquire([request], now);
    if (answer?.outcome !== 'granted') throw new Error(`${request.lockName} was not granted, but is free`);
    return answer;
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

  /** The live exclusive lease of a worker, for those who know no grantId. */
  #grantOf(
    { lockName, workerName }: Extract<ReleaseRequest, { workerName: string }>,
    now: number,
  ): string | undefined {
    const row = this.#leases.row(lockName, now);
    const isTheirs =
      row?.worker_name === workerName && row.grant_id !== SHARED_GRANT && row.expire_time > now;
    return (isTheirs && row.grant_id) || undefined;
  }

  #inspect(lockName: string, now: number): InspectedLock | null {
    const row = this.connection.get<LookRow>(this.#deskSql.look, { lockName, now });
    if (!row) return null;
    const queue = this.connection.all<QueueRow>(this.#deskSql.queue, {
      lockName,
      limit: MAX_QUEUE_SHOWN,
      now,
    });
    return {
      ...toLock(row),
      holders: holdersOf(row, this.#sharers.holdingsOf(row, now)),
      queue: queue.map(({ worker_name, ticket, ...share }) => ({
        workerName: worker_name,
        since: toTime(ticket),
        share: toShare(share),
      })),
    };
  }
}

type QueueRow = { worker_name: string; ticket: number } & Record<'permits' | 'permit_limit', number | null>;

import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { DbLockConfigurationError } from '../../lease/errors.js';
import {
  SHARED_GRANT,
  type AcquireRequest,
  type ReleaseRequest,
  type RenewRequest,
} from '../../lease/requests.js';
import { answerEach, errorAnswer, repeatConflicts, type BatchOptions } from '../batch.js';
import type { StoreOptions } from '../database.js';
import type {
  AcquireAnswer,
  AcquireSetAnswer,
  ErrorAnswer,
  HolderRecord,
  InspectedLock,
  LeaseRecord,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
} from '../lock-store.js';
import {
  holdersOf,
  toGrant,
  toHolding,
  toLease,
  toLock,
  toNext,
  toShare,
  toTime,
  type LockRow,
  type LookRow,
} from '../rows.js';
import { Shortcut } from '../shortcut.js';
import { CONNECTIONS, Connections } from './connections.js';
import { deskStatements, type DeskStatements } from './desk.sql.js';
import { FAULTS, isRowLocked } from './errors.js';
import { microsecondsOf } from './fragments.sql.js';
import { historyStatements } from './history.sql.js';
import { Lanes } from './lane.js';
import { lockStatements, type Ending, type LockStatements } from './locks.sql.js';
import { MysqlDesk } from './mysql-desk.js';
import { MysqlHistory } from './mysql-history.js';
import { isShared, MysqlSharedLocks } from './mysql-shared-locks.js';
import { MysqlWaitQueue } from './mysql-wait-queue.js';
import { partsOf, type Sized } from './parts.js';
import { queueStatements } from './queue.sql.js';
import { Reader } from './reader.js';
import { expiredLease, holderSeen, type SeenRow } from './seen.js';
import type { Purpose } from './sessions.sql.js';
import { sharedStatements, type SharedStatements } from './shared.sql.js';

/** Milliseconds that a statement waits for a row that somebody else has locked; ours hold one for less than one. */
const ROW_LOCK_TIMEOUT = 1000;

/** How often an acquire asks that lost a race for a lock which had looked free. */
const RACE_TRIES = 5;

/** How often an acquire of a set asks that loses races, and the longest pause before it asks again, in milliseconds. */
const SET_RACE = { tries: 50, pause: 10 };

/** How often a release by a worker's name asks again whose lease there is: somebody may get it just then. */
const WORKER_TRIES = 3;

/** A lock that was granted, or found granted to the same grantId before. */
type GrantedRow = LockRow & { repeated: string | number };

/** What the shortcut tells of a lock: that it is granted; how it was seen, where it is there; or that somebody keeps its row locked. */
type FirstLook =
  | Extract<AcquireAnswer, { outcome: 'granted' }>
  | { outcome: 'seen'; row: SeenRow | undefined }
  | { outcome: 'blocked' };

type ReleaseByGrant = Extract<ReleaseRequest, { grantId: string }>;
type ReleaseByWorker = Exclude<ReleaseRequest, { grantId: string }>;

/** Locks in a table of a TypeORM DataSource, over connections of the store's own. */
export class MysqlStore implements LockStore {
  readonly #lanes: Record<Purpose, Lanes>;
  readonly #sql: LockStatements;
  readonly #deskSql: DeskStatements;
  readonly #sharedSql: SharedStatements;
  readonly #reader: Reader;
  readonly #actor: Reader;
  readonly #batches: BatchOptions;
  readonly #shortcut = new Shortcut();
  readonly clockTolerance: number;
  readonly queue: MysqlWaitQueue;
  readonly shared: MysqlSharedLocks;
  readonly desk: MysqlDesk;
  readonly history: MysqlHistory;

  private constructor(
    private readonly connections: Connections,
    { tables, statementTimeout, clockTolerance = 0 }: StoreOptions,
  ) {
    const { maxPacket } = connections;
    this.#sql = lockStatements(tables, clockTolerance);
    this.#deskSql = deskStatements(tables, clockTolerance);
    this.#sharedSql = sharedStatements(tables, clockTolerance);
    this.clockTolerance = clockTolerance;
    this.#batches = { faults: FAULTS, patience: statementTimeout };
    // What comes in batches is looked after there.
    const lanes = (purpose: Purpose, maxAge?: number) => new Lanes(connections, CONNECTIONS[purpose], maxAge);
    this.#lanes = {
      acquire: lanes('acquire'),
      release: lanes('release'),
      queue: lanes('queue'),
      look: lanes('look'),
      act: lanes('act', statementTimeout),
      desk: lanes('desk', statementTimeout),
    };
    this.#reader = new Reader(this.#lanes.desk, this.#sql);
    this.#actor = new Reader(this.#lanes.act, this.#sql);
    this.desk = new MysqlDesk(this.#deskSql, this.#reader, this.#actor, this.#batches, maxPacket);
    this.history = new MysqlHistory(historyStatements(tables), this.#deskSql, this.#reader, maxPacket);
    this.shared = new MysqlSharedLocks(this.#sharedSql, this.#sql, {
      lanes: this.#lanes,
      batches: this.#batches,
      maxPacket,
      clockTolerance,
    });
    this.queue = new MysqlWaitQueue(
      this.#sql,
      queueStatements(tables, clockTolerance),
      this.#lanes,
      this.#batches,
      maxPacket,
    );
  }

  /** A store that connects as the application's DataSource does, and leaves that one alone. */
  static async open(dataSource: DataSource, options: StoreOptions): Promise<MysqlStore> {
    const { statementTimeout, pooler } = options;
    if (pooler === 'transaction')
      throw new DbLockConfigurationError(
        'pooler',
        'is for PostgreSQL: on MySQL and MariaDB, each connection must be a session of its own.',
      );
    const rowLock = Math.min(ROW_LOCK_TIMEOUT, statementTimeout);
    return new MysqlStore(
      await Connections.open(dataSource, { statement: statementTimeout, rowLock }),
      options,
    );
  }

  async acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    const looks = await this.#acquireReleased(requests);
    const seen = new Map<AcquireRequest, SeenRow | undefined>();
    const answers = requests.map((request, index): AcquireAnswer | undefined => {
      const look = looks[index];
      if (look?.outcome === 'seen') seen.set(request, look.row);
      return look?.outcome === 'seen' || look?.outcome === 'blocked' ? undefined : look;
    });
    const open = requests.filter((_, index) => !answers[index]);
    if (open.length === 0) return answers as AcquireAnswer[];
    const decided = (await this.#answer(open, (batch) => this.#decide(batch, seen))).values();
    return answers.map((answer) => answer ?? decided.next().value!);
  }

  /** The shortcut, where it is worth trying: answers those who get a lock that was released, and tells what was seen of the others. */
  async #acquireReleased(requests: readonly AcquireRequest[]): Promise<Array<FirstLook | ErrorAnswer>> {
    if (requests.some(isQueued) || !this.#shortcut.isWorthTrying()) return [];
    const looks = await this.#answer(requests, async (batch): Promise<FirstLook[]> => {
      const [taken, rows] = await this.#lanes.acquire
        .run<[TakenRow[], SeenRow[]]>(this.#sql.acquireReleased(batch))
        .catch((error: unknown): [TakenRow[], undefined] => {
          if (batch.length === 1 && isRowLocked(error)) return [[], undefined];
          throw error;
        });
      if (!rows) return [{ outcome: 'blocked' }];
      const granted = new Map(taken.map((row) => [row.lock_name, row]));
      const seen = seenByName(rows);
      return batch.map((request) => {
        const row = granted.get(request.lockName);
        return row
          ? { outcome: 'granted', lease: justTaken(row, request), repeated: false }
          : { outcome: 'seen', row: seen.get(request.lockName) };
      });
    });
    this.#shortcut.tried(looks.filter(({ outcome }) => outcome === 'granted').length, requests.length);
    return looks;
  }

  /**
   * A look, unless there was one just now, and then grants of what looks free; again for who lost a race for one under its row lock.
   * @param known what was seen of the locks
   */
  async #decide(
    batch: readonly AcquireRequest[],
    known: ReadonlyMap<AcquireRequest, SeenRow | undefined>,
  ): Promise<AcquireAnswer[]> {
    const answers = new Map<AcquireRequest, AcquireAnswer>();
    let seen = batch.every((request) => known.has(request))
      ? seenByName(batch.flatMap((request) => known.get(request) ?? []))
      : await this.#look(batch);
    for (let tries = 1; ; tries++) {
      const free: AcquireRequest[] = [];
      for (const request of batch) {
        if (answers.has(request)) continue;
        const holder = this.#holderOf(request, seen);
        if (holder) answers.set(request, { outcome: 'busy', holder });
        else free.push(request);
      }
      if (free.length > 0) await this.#grant(free, seen, answers);
      const open = free.filter((request) => !answers.has(request));
      if (open.length === 0) break;
      if (tries === RACE_TRIES)
        for (const request of open)
          answers.set(request, errorAnswer(new Error('Others were faster, time and again.')));
      else seen = await this.#look(open);
    }
    return batch.map((request) => answers.get(request)!);
  }

  #holderOf(request: AcquireRequest, seen: ReadonlyMap<string, SeenRow>): HolderRecord | undefined {
    const row = seen.get(request.lockName);
    return row && holderSeen(row, request, this.clockTolerance);
  }

  async #look(batch: readonly AcquireRequest[]): Promise<Map<string, SeenRow>> {
    const names = batch.map(({ lockName }) => lockName);
    const [rows] = await this.#lanes.acquire.run<[SeenRow[]]>(this.#sql.look(names));
    return seenByName(rows);
  }

  async #grant(
    free: readonly AcquireRequest[],
    seen: ReadonlyMap<string, SeenRow>,
    answers: Map<AcquireRequest, AcquireAnswer>,
  ): Promise<void> {
    const [rows] = await this.#lanes.acquire.run<[GrantedRow[]]>(this.#sql.grant(free, free.some(isQueued)));
    const granted = new Map(rows.map((row) => [row.lock_name, row]));
    for (const request of free) {
      const row = granted.get(request.lockName);
      if (!row) continue;
      const repeated = isRepeated(row);
      const expired = repeated ? undefined : expiredLease(seen.get(request.lockName), request);
      answers.set(request, { outcome: 'granted', lease: grantOf(row, request), repeated, expired });
    }
  }

  async acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    if (requests.some(isShared)) return this.shared.acquireSet(requests);
    try {
      for (let tries = 1; tries <= SET_RACE.tries; tries++) {
        const answer = await repeatConflicts(FAULTS, () => this.#acquireSet(requests));
        if (answer) return answer;
        await sleep(Math.random() * SET_RACE.pause);
      }
      return errorAnswer(new Error('Others were faster, time and again.'));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  /** Undefined when one was taken meanwhile: the next look sees who has it. */
  async #acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer | undefined> {
    const seen = await this.#look(requests);
    for (const request of requests) {
      const holder = this.#holderOf(request, seen);
      if (holder) return { outcome: 'busy', holder };
    }
    const [rows] = await this.#lanes.acquire.run<[GrantedRow[]]>(this.#sql.grantSet(requests));
    if (rows.length < requests.length) return undefined;
    const byName = new Map(rows.map((row) => [row.lock_name, row]));
    const rowOf = ({ lockName }: AcquireRequest) => byName.get(lockName)!;
    return {
      outcome: 'granted',
      leases: requests.map((request) => grantOf(rowOf(request), request)),
      repeated: rows.every(isRepeated),
      expired: requests
        .filter((request) => !isRepeated(rowOf(request)))
        .flatMap((request) => expiredLease(seen.get(request.lockName), request) ?? []),
    };
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return this.#answer(requests, async (batch) => {
      const [rows, [clock]] = await this.#lanes.acquire.run<[LockRow[], [{ server_time: string }]]>(
        this.#sql.renew(batch),
      );
      const byName = new Map(rows.map((row) => [row.lock_name, row]));
      const lost: RenewAnswer = { outcome: 'lost', serverTime: toTime(clock.server_time) };
      return batch.map(({ lockName }): RenewAnswer => {
        const row = byName.get(lockName);
        return row ? { outcome: 'renewed', lease: toLease(row) } : lost;
      });
    });
  }

  async release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]> {
    if (requests.every(isByGrant)) return this.#answer(requests, (batch) => this.#release(batch));
    const [byGrant, byWorker] = await Promise.all([
      this.#answer(requests.filter(isByGrant), (batch) => this.#release(batch)),
      this.#answer(requests.filter(isByWorker), (batch) => this.#releaseByWorker(batch)),
    ]);
    const answers = { grant: byGrant.values(), worker: byWorker.values() };
    return requests.map((request) => answers[isByGrant(request) ? 'grant' : 'worker'].next().value!);
  }

  /** Nearly all leases are ended by the shortcut. What it has passed over may be kept alive by a renewal whose commit is under way. */
  async #release(batch: readonly Ending[]): Promise<ReleaseAnswer[]> {
    if (!batch.every(isPlain)) return this.#releaseLocked(batch);
    const answers = await this.#releaseAtOnce(batch);
    const doubtful = batch.filter((_, index) => answers[index]!.outcome === 'lost');
    if (doubtful.length === 0) return answers;
    const again = (await this.#releaseLocked(doubtful)).values();
    return answers.map((answer) => (answer.outcome === 'lost' ? again.next().value! : answer));
  }

  async #releaseAtOnce(batch: readonly Ending[]): Promise<ReleaseAnswer[]> {
    const [rows, [{ server_time, ended }]] = await this.#lanes.release.run<
      [EndedRow[], [{ server_time: string; ended: string | number }]]
    >(this.#sql.releaseAtOnce(batch));
    const serverTime = toTime(server_time);
    if (Number(ended) === batch.length && rows.length === 0)
      return batch.map(({ grantId }) => ({ outcome: 'released', grantId, next: null, serverTime }));
    return endedAnswers(batch, rows, serverTime);
  }

  async #releaseLocked(batch: readonly Ending[]): Promise<ReleaseAnswer[]> {
    const [rows, [clock]] = await this.#lanes.release.run<[EndedRow[], [{ server_time: string }]]>(
      this.#sql.release(batch),
    );
    return endedAnswers(batch, rows, toTime(clock.server_time));
  }

  /** A look tells the grantIds, by which the leases are ended. Who has got another lease meanwhile is looked at again. */
  async #releaseByWorker(batch: readonly ReleaseByWorker[]): Promise<ReleaseAnswer[]> {
    const answers = new Map<string, ReleaseAnswer>();
    let open = batch;
    for (let tries = 1; open.length > 0; tries++) {
      const [rows, [clock]] = await this.#lanes.release.run<
        [Array<{ lock_name: string; grant_id: string }>, [{ server_time: string }]]
      >(this.#sql.grantsOfWorkers(open));
      for (const { lockName } of open)
        answers.set(lockName, { outcome: 'lost', serverTime: toTime(clock.server_time) });
      if (rows.length === 0) break;
      const endings = rows.map((row) => ({ lockName: row.lock_name, grantId: row.grant_id }));
      const ended = await this.#release(endings);
      endings.forEach(({ lockName }, index) => answers.set(lockName, ended[index]!));
      if (tries === WORKER_TRIES) break;
      const lost = new Set(
        endings.filter((_, index) => ended[index]!.outcome === 'lost').map(({ lockName }) => lockName),
      );
      open = open.filter(({ lockName }) => lost.has(lockName));
    }
    return batch.map(({ lockName }) => answers.get(lockName)!);
  }

  async inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>> {
    if (lockNames.length === 0) return [];
    const [rows, waiters, sharers] = await this.#reader.ask<[LookRow[], QueuedRow[], LockRow[]]>(() =>
      this.#deskSql.inspect(lockNames),
    );
    const byName = new Map(
      rows.map((row): [string, InspectedLock] => [
        row.lock_name,
        {
          ...toLock(row),
          holders: row.grant_id === SHARED_GRANT ? [] : holdersOf(row, []),
          queue: [],
        },
      ]),
    );
    for (const { lock_name, worker_name, ticket, ...share } of waiters)
      byName
        .get(lock_name)
        ?.queue.push({ workerName: worker_name, since: toTime(ticket), share: toShare(share) });
    for (const row of sharers) {
      const lock = byName.get(row.lock_name);
      // Who came to share it since it was read that somebody has it alone is left out.
      if (lock?.sharing) lock.holders.push(toHolding(row));
    }
    return lockNames.map((lockName) => byName.get(lockName) ?? null);
  }

  async removeIdle(retention: number): Promise<number> {
    const removed = await this.#reader.inChunks(
      (after) => this.#sql.idleAfter(after, retention),
      (lockNames) => this.#sql.removeIdle(lockNames, retention),
    );
    await this.#reader.inChunks(
      (after) => this.#sharedSql.endedAfter(after, retention),
      (lockNames) => this.#sharedSql.removeEnded(lockNames, retention),
    );
    return removed;
  }

  async ping(): Promise<void> {
    await this.#actor.ask(() => this.#sql.ping);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#lanes).map((lanes) => lanes.close()));
    await this.connections.close();
  }

  /** Answers each request by itself, in packets that the server takes. */
  async #answer<Request extends Sized, Answer>(
    requests: readonly Request[],
    answer: (batch: readonly Request[]) => Promise<Answer[]>,
  ): Promise<Array<Answer | ErrorAnswer>> {
    const answers: Array<Answer | ErrorAnswer> = [];
    for (const part of partsOf(requests, this.connections.maxPacket))
      answers.push(...(await answerEach(part, this.#batches, answer)));
    return answers;
  }
}

/** Somebody who waits, in its lock's queue. */
interface QueuedRow extends Pick<LockRow, 'lock_name' | 'permits' | 'permit_limit'> {
  worker_name: string;
  ticket: string;
}

const isByGrant = (request: ReleaseRequest): request is ReleaseByGrant => 'grantId' in request;

const isByWorker = (request: ReleaseRequest): request is ReleaseByWorker => !isByGrant(request);

const isQueued = ({ ticket }: AcquireRequest) => typeof ticket === 'number';

const isRepeated = ({ repeated }: GrantedRow) => Number(repeated) === 1;

/** A lease as it was granted; a repeat may have asked for it otherwise. */
const grantOf = (row: GrantedRow, request: AcquireRequest) =>
  isRepeated(row) ? toLease(row) : toGrant(row, request);

const seenByName = (rows: readonly SeenRow[]) => new Map(rows.map((row) => [row.lock_name, row]));

/** A lock that was taken just now. */
type TakenRow = Pick<GrantedRow, 'lock_name' | 'token' | 'lock_time' | 'version'>;

/** All that the row does not say follows from when the lock was taken, and from what was asked for. */
function justTaken(row: TakenRow, request: AcquireRequest): LeaseRecord {
  const expire_time = Number(row.lock_time) + microsecondsOf(request.ttl);
  return toGrant({ ...row, ...UNSAID, expire_time, server_time: row.lock_time }, request);
}

const UNSAID = { worker_name: null, grant_id: null, metadata: null };

/** A lease that was ended, and who waits for its lock. */
interface EndedRow {
  lock_name: string;
  next: string | null;
}

function endedAnswers(
  batch: readonly Ending[],
  rows: readonly EndedRow[],
  serverTime: Date,
): ReleaseAnswer[] {
  const byName = new Map(rows.map((row) => [row.lock_name, row]));
  return batch.map(({ lockName, grantId }): ReleaseAnswer => {
    const row = byName.get(lockName);
    return row
      ? { outcome: 'released', grantId, next: toNext(row), serverTime }
      : { outcome: 'lost', serverTime };
  });
}

/** Whether a release ends its lease whatever its version is, and frees the lock at once. */
const isPlain = ({ minHold, version }: Ending) => !minHold && version === undefined;

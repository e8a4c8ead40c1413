import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import {
  isShared,
  NOBODYS_GRANT,
  type AcquireRequest,
  type ReleaseRequest,
  type RenewRequest,
} from '../../lease/requests.js';
import type { StoreOptions } from '../database.js';
import { answerEach, errorAnswer, repeatConflicts, type BatchOptions } from '../batch.js';
import { FAULTS, isRefusal, isTakenMeanwhile, ROW_LOCKED, sqlState } from './errors.js';
import type { Run } from './lane.js';
import { Lanes } from './lanes.js';
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
import { Notifications } from './notifications.js';
import { LoneRequests } from './lone-requests.js';
import { loneStatements } from './lone-requests.sql.js';
import { OneLock } from './one-lock.js';
import { oneLockStatements } from './one-lock.sql.js';
import { CONNECTIONS, ownDataSource } from './own-data-source.js';
import { deskStatements, type DeskStatements } from './desk.sql.js';
import { lockStatements, type LockStatements } from './locks.sql.js';
import { queueStatements } from './queue.sql.js';
import { releaseStatements, type ReleaseStatements } from './releases.sql.js';
import type { Purpose } from './sessions.sql.js';
import { historyStatements } from './history.sql.js';
import {
  timeLeft,
  toGrant,
  toHolding,
  toInspectedLock,
  toLease,
  toTime,
  type LockRow,
  type LookRow,
} from '../rows.js';
import {
  toEnded,
  toRenewed,
  toTaken,
  type EndedAnswer,
  type EndedRow,
  type RenewedRow,
  type TakenRow,
} from './rows.js';
import { sessionKindOf, type SessionKind } from './session-kind.js';
import { decideShared } from '../sharing.js';
import { Shortcut } from '../shortcut.js';
import { PostgresDesk } from './postgres-desk.js';
import { PostgresHistory } from './postgres-history.js';
import { Reader } from './reader.js';
import { PostgresSharedLocks } from './postgres-shared-locks.js';
import { PostgresWaitQueue } from './postgres-wait-queue.js';
import { sharedStatements, type SharedStatements } from './shared.sql.js';
import {
  acquireValues,
  areAlike,
  areHeldAlike,
  isByGrant,
  isByWorker,
  isPlain,
  likeAcquireValues,
  mixedReleaseValues,
  queuedAcquireValues,
  releaseByWorkerValues,
  releaseValues,
  renewHeldValues,
  renewValues,
  type ReleaseByGrant,
} from './values.js';

/** Milliseconds that a statement waits for a row that somebody else has locked; ours hold one for less than one. */
const ROW_LOCK_TIMEOUT = 1000;

/** How often an acquire asks that lost a race for a lock which had looked free. */
const RACE_TRIES = 5;

/** How often an acquire of a set asks that loses races, and the longest pause before it asks again, in milliseconds. */
const RACE = { tries: 50, pause: 10 };

/** A database without notifications, or a role that may not use them: no such function, not allowed, not supported. */
const CANNOT_NOTIFY = new Set(['42883', '42501', '0A000']);

/** The database has no room for another notification. */
const QUEUE_IS_FULL = '54000';

/**
 * Whether a release was perhaps refused for its notifications: they wait for those of all other transactions of the database's cluster.
 * Of several releases, a locked row may be to blame, which shows when each goes alone.
 */
function mayBlameNotifications(batch: readonly unknown[], error: unknown): boolean {
  if (!isRefusal(error)) return false;
  const state = sqlState(error)!;
  return CANNOT_NOTIFY.has(state) || state === QUEUE_IS_FULL || (state === ROW_LOCKED && batch.length === 1);
}

/** Locks in a table of a TypeORM DataSource, over connections of the store's own. */
export class PostgresStore implements LockStore {
  readonly #lanes: Record<Purpose, Lanes>;
  readonly #sql: LockStatements;
  readonly #releaseSql: ReleaseStatements;
  readonly #deskSql: DeskStatements;
  readonly #sharedSql: SharedStatements;
  readonly #reader: Reader;
  readonly #actor: Reader;
  readonly #batches: BatchOptions;
  readonly clockTolerance: number;
  readonly #logger = new Logger('DbLock');
  readonly #lone: LoneRequests;
  readonly #shortcut = new Shortcut();
  /** Whether releases notify the servers of those who are next. */
  #notifies = true;
  readonly queue: PostgresWaitQueue;
  readonly shared: PostgresSharedLocks;
  readonly desk: PostgresDesk;
  readonly history: PostgresHistory;

  private constructor(
    private readonly connections: DataSource,
    { tables, statementTimeout, clockTolerance = 0 }: StoreOptions,
    sessions: SessionKind,
  ) {
    this.#sql = lockStatements(tables, clockTolerance);
    this.#releaseSql = releaseStatements(tables);
    this.#deskSql = deskStatements(tables, clockTolerance);
    this.#sharedSql = sharedStatements(tables, clockTolerance);
    this.clockTolerance = clockTolerance;
    this.#batches = { faults: FAULTS, patience: statementTimeout };
    const lanes = (purpose: Purpose) =>
      new Lanes(
        connections,
        {
          purpose,
          timeouts: { statement: statementTimeout, rowLock: Math.min(ROW_LOCK_TIMEOUT, statementTimeout) },
          sessions,
          // All others come in batches, which look after it themselves.
          maxAge: purpose === 'act' || purpose === 'desk' ? statementTimeout : undefined,
        },
        CONNECTIONS[purpose],
      );
    this.#lanes = {
      acquire: lanes('acquire'),
      release: lanes('release'),
      queue: lanes('queue'),
      act: lanes('act'),
      desk: lanes('desk'),
    };
    this.#lone = new LoneRequests(loneStatements(tables), this.#lanes);
    this.#reader = new Reader(this.#lanes.desk, this.#sql);
    this.#actor = new Reader(this.#lanes.act, this.#sql);
    this.shared = new PostgresSharedLocks(
      this.#sharedSql,
      new OneLock(oneLockStatements(tables, clockTolerance), this.#batches),
      this.#lanes,
      this.#batches,
    );
    this.desk = new PostgresDesk(
      this.#deskSql,
      this.#sharedSql.lock,
      this.#reader,
      this.#actor,
      this.#batches,
    );
    this.history = new PostgresHistory(historyStatements(tables), this.#reader);
    this.queue = new PostgresWaitQueue(
      queueStatements(tables),
      this.#lanes,
      this.#batches,
      new Notifications(connections, tables, sessions),
    );
  }

  /** A store that connects as the application's DataSource does, and leaves that one alone. */
  static async open(dataSource: DataSource, options: StoreOptions): Promise<PostgresStore> {
    const connections = await ownDataSource(dataSource, options.statementTimeout);
    try {
      return new PostgresStore(connections, options, await sessionKindOf(connections, options.pooler));
    } catch (error) {
      await connections.destroy();
      throw error;
    }
  }

  async acquire(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    const taken =
      requests.length === 1
        ? [await this.#acquireAlone(requests[0]!)]
        : await this.#acquireReleased(requests);
    const open = requests.filter((_, index) => !taken[index]);
    if (open.length === 0) return taken as AcquireAnswer[];
    const decided = (await this.#decide(open)).values();
    return requests.map((_, index) => taken[index] ?? decided.next().value!);
  }

  /** The shortcuts of one, where they are worth trying: undefined where the lock is not free. */
  async #acquireAlone(request: AcquireRequest): Promise<AcquireAnswer | undefined> {
    return isQueued(request) ? undefined : this.#lone.acquire(request);
  }

  /** The shortcut of several, where it is worth trying: answers those who get a lock that was released. */
  async #acquireReleased(requests: readonly AcquireRequest[]): Promise<Array<AcquireAnswer | undefined>> {
    if (requests.some(isQueued) || !this.#shortcut.isWorthTrying()) return [];
    const answers = await answerEach(requests, this.#batches, async (batch) => {
      const [row] = await (areAlike(batch)
        ? this.#lanes.acquire.run<TakenRow>(this.#sql.acquireReleased, likeAcquireValues(batch))
        : this.#lanes.acquire.run<TakenRow>(this.#sql.acquireReleasedMixed, acquireValues(batch)));
      return toTaken(row!, batch).map(
        (lease): AcquireAnswer | undefined => lease && { outcome: 'granted', lease, repeated: false },
      );
    });
    this.#shortcut.tried(answers.filter(Boolean).length, requests.length);
    return answers;
  }

  #decide(requests: readonly AcquireRequest[]): Promise<AcquireAnswer[]> {
    return answerEach(requests, this.#batches, async (batch) => {
      const seen = await this.#seen(batch);
      return batch.map((request) => acquireAnswer(request, seen.get(request.lockName), this.clockTolerance));
    });
  }

  /** What is seen of each lock. Who lost a race for one under its row lock asks again. */
  async #seen(batch: readonly AcquireRequest[], tries = RACE_TRIES): Promise<Map<string, Seen>> {
    const queued = batch.some(isQueued);
    const rows = await this.#lanes.acquire.run<SeenRow>(
      queued ? this.#sql.acquireQueued : this.#sql.acquire,
      queued ? queuedAcquireValues(batch) : acquireValues(batch),
    );
    const seen = seenByName(rows);
    const losers = batch.filter(({ lockName }) => isUndecided(seen.get(lockName), this.clockTolerance));
    if (losers.length > 0 && tries > 1)
      for (const [lockName, again] of await this.#seen(losers, tries - 1)) seen.set(lockName, again);
    return seen;
  }

  async acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    const { acquire } = this.#lanes;
    const ask = requests.some(isShared)
      ? () => acquire.transact((run) => this.#acquireMixedSet(requests, run), isGranted)
      : () => this.#acquireSetOf(requests, (statement, values) => acquire.run(statement, values));
    try {
      return await repeatRaces(() => repeatConflicts(FAULTS, ask));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  async #acquireSetOf(requests: readonly AcquireRequest[], run: Run): Promise<AcquireSetAnswer> {
    const rows = await run<SeenRow>(this.#sql.acquireSet, queuedAcquireValues(requests));
    return setAnswer(rows, requests, this.clockTolerance);
  }

  /** Some of a set are wanted in shared mode. With all rows locked, nothing comes between what is decided of one lock and of another. */
  async #acquireMixedSet(requests: readonly AcquireRequest[], run: Run): Promise<AcquireSetAnswer> {
    const shared = requests.filter(isShared);
    const alone = requests.filter((request) => !isShared(request));
    await this.shared.take(requests, run);
    const seen = await this.shared.look(shared, run);
    const obstacle = decideShared(shared, seen).decisions.find(({ outcome }) => outcome === 'busy');
    if (obstacle?.outcome === 'busy') return { outcome: 'busy', holder: obstacle.holder! };
    const own = alone.length > 0 ? await this.#acquireSetOf(alone, run) : undefined;
    if (own && own.outcome !== 'granted') return own;
    const granted = (await this.shared.grant(shared, seen, run)).filter(isGranted);
    const leases = [...(own?.leases ?? []), ...granted.map(({ lease }) => lease)];
    const byName = new Map(leases.map((lease) => [lease.lockName, lease]));
    return {
      outcome: 'granted',
      leases: requests.map(({ lockName }) => byName.get(lockName)!),
      repeated: own?.repeated !== false && granted.every(({ repeated }) => repeated),
      expired: [...(own?.expired ?? []), ...granted.flatMap(({ alsoExpired = [] }) => alsoExpired)],
    };
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return answerEach(requests, this.#batches, async (batch) => {
      if (areHeldAlike(batch)) {
        const [row] = await this.#lanes.acquire.run<RenewedRow>(this.#sql.renewHeld, renewHeldValues(batch));
        return toRenewed(row!, batch);
      }
      const rows = await this.#lanes.acquire.run<LockRow>(this.#sql.renew, renewValues(batch));
      const byName = new Map(rows.map((row) => [row.lock_name, row]));
      const lost: RenewAnswer = { outcome: 'lost', serverTime: toTime(rows[0]!.server_time) };
      return batch.map(({ lockName }): RenewAnswer => {
        const row = byName.get(lockName);
        return row ? { outcome: 'renewed', lease: toLease(row) } : lost;
      });
    });
  }

  async release(requests: readonly ReleaseRequest[]): Promise<ReleaseAnswer[]> {
    if (requests.every(isByGrant)) return this.#endByGrant(requests);
    const [ended, endedByWorker] = await Promise.all([
      this.#endByGrant(requests.filter(isByGrant)),
      this.#end(requests.filter(isByWorker), 'releaseByWorker', releaseByWorkerValues),
    ]);
    const answers = { grant: ended.values(), worker: endedByWorker.values() };
    return requests.map((request) => answers[isByGrant(request) ? 'grant' : 'worker'].next().value!);
  }

  /** Nearly all are ended by a shortcut. A lease that looks expired may be kept alive by a renewal whose commit is under way. */
  async #endByGrant(requests: readonly ReleaseByGrant[]): Promise<ReleaseAnswer[]> {
    const mixed = (batch: readonly ReleaseByGrant[]) => this.#end(batch, 'releaseMixed', mixedReleaseValues);
    if (!requests.every(isPlain)) return mixed(requests);
    if (requests.length === 1) {
      const alone = await this.#lone.release(requests[0]!);
      if (alone) return [alone];
    }
    const answers = await this.#end(requests, 'release', releaseValues);
    const doubtful = requests.filter((_, index) => isDoubtful(answers[index]!));
    if (doubtful.length === 0) return answers;
    const again = (await mixed(doubtful)).values();
    return answers.map((answer) => (isDoubtful(answer) ? again.next().value! : answer));
  }

  #end<Request extends ReleaseRequest & { grantId?: string }>(
    requests: readonly Request[],
    statement: keyof ReleaseStatements['silent'],
    values: (batch: readonly Request[], server: string) => unknown[],
  ): Promise<Array<EndedAnswer | ErrorAnswer>> {
    const end = async (batch: readonly Request[], statements: ReleaseStatements['silent']) => {
      const { server } = this.queue;
      const [row] = await this.#lanes.release.run<EndedRow>(statements[statement], values(batch, server));
      return toEnded(row!, batch, server);
    };
    let failed = false;
    return answerEach(requests, this.#batches, async (batch) => {
      if (failed || !this.#notifies) return end(batch, this.#releaseSql.silent);
      try {
        return await end(batch, this.#releaseSql);
      } catch (error) {
        failed = true; // who is asked for again goes without notifications
        if (!mayBlameNotifications(batch, error)) throw error;
        const answers = await end(batch, this.#releaseSql.silent);
        if (CANNOT_NOTIFY.has(sqlState(error)!)) this.#neverNotify(error);
        return answers;
      }
    });
  }

  /** Waiters on other servers are notified after the release, or look from time to time. */
  #neverNotify(error: unknown): void {
    this.#notifies = false;
    this.#logger.warn(`Releases don't notify who waits on other servers: ${String(error)}`);
  }

  async inspect(lockNames: readonly string[]): Promise<Array<InspectedLock | null>> {
    const rows = await this.#reader.ask<InspectedRow>(this.#deskSql.inspect, [lockNames]);
    const byName = new Map(
      rows.map((row) => {
        const sharers = JSON.parse(row.sharers ?? '[]') as LockRow[];
        return [row.lock_name, toInspectedLock(row, sharers.map(toHolding))];
      }),
    );
    return lockNames.map((lockName) => byName.get(lockName) ?? null);
  }

  async removeIdle(retention: number): Promise<number> {
    const { pages, removeEnded } = this.#sharedSql;
    await this.#reader.inChunks((from, to) => this.#reader.ask(removeEnded, [from, to, retention]), pages);
    return this.#reader.inChunks((from, to) => this.#reader.ask(this.#sql.removeIdle, [from, to, retention]));
  }

  async ping(): Promise<void> {
    await this.#actor.ask(this.#sql.ping, []);
  }

  async close(): Promise<void> {
    await this.queue.close();
    await Promise.all(Object.values(this.#lanes).map((lane) => lane.close()));
    await this.connections.destroy();
  }
}

/** Repeats an acquire of several locks that has lost a race for one of them: the next one sees who has it. */
async function repeatRaces<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries === RACE.tries || !isTakenMeanwhile(error)) throw error;
    }
    await sleep(Math.random() * RACE.pause);
  }
}

const isDoubtful = (answer: EndedAnswer | ErrorAnswer) => answer.outcome === 'lost' && answer.isDoubtful;

const isGranted = <Answer extends { outcome: string }>(
  answer: Answer | undefined,
): answer is Extract<Answer, { outcome: 'granted' }> => answer?.outcome === 'granted';

const isQueued = ({ ticket }: AcquireRequest) => typeof ticket === 'number';

/** A lock with those who wait for it and those who share it, as JSON. */
interface InspectedRow extends LookRow {
  queue: string | null;
  sharers: string | null;
}

/** A lock as an acquire saw it. */
interface SeenRow extends LockRow {
  /** `decided` under its row lock; `kept` for somebody in the queue; or only who held it, as a plain read saw it. */
  seen: 'decided' | 'kept' | 'holder';
  repeated: boolean;
}

/** What was seen of each lock: the rows of a name by what they are. */
type Seen = Partial<Record<SeenRow['seen'], SeenRow>>;

function seenByName(rows: readonly SeenRow[]): Map<string, Seen> {
  const byName = new Map<string, Seen>();
  for (const row of rows) {
    const seen = byName.get(row.lock_name);
    if (seen) seen[row.seen] = row;
    else byName.set(row.lock_name, { [row.seen]: row });
  }
  return byName;
}

/** A lock that was released and stayed taken for a while is nobody's. */
const isSomebodys = ({ grant_id }: SeenRow) => grant_id !== NOBODYS_GRANT;

/** Milliseconds until a lock is free that somebody else has, or that is kept for somebody. */
const freeIn = (row: SeenRow, clockTolerance: number) =>
  timeLeft(row, row.seen === 'holder' && isSomebodys(row) ? clockTolerance : 0);

function toHolder(row: SeenRow, clockTolerance: number): HolderRecord {
  const holder = toLease(row);
  holder.timeLeft = freeIn(row, clockTolerance);
  return holder;
}

/** Neither granted nor refused: the lock looked free, and somebody else took it first. */
function isUndecided({ decided, kept, holder }: Seen = {}, clockTolerance: number): boolean {
  return !decided && !kept && !(holder && freeIn(holder, clockTolerance) > 0);
}

/** What the statement `acquireSet` says of all of a set. */
function setAnswer(
  rows: readonly SeenRow[],
  requests: readonly AcquireRequest[],
  clockTolerance: number,
): Exclude<AcquireSetAnswer, ErrorAnswer> {
  const decided = rows.filter(({ seen }) => seen === 'decided');
  const others = rows.filter(({ seen }) => seen !== 'decided');
  if (decided.length < requests.length)
    return { outcome: 'busy', holder: toHolder(others[0]!, clockTolerance) };
  const byName = new Map(decided.map((row) => [row.lock_name, row]));
  return {
    outcome: 'granted',
    leases: requests.map((request) => grantOf(byName.get(request.lockName)!, request)),
    repeated: decided.every(({ repeated }) => repeated),
    expired: others.filter(isSomebodys).map(toLease),
  };
}

function acquireAnswer(
  request: AcquireRequest,
  { decided, kept, holder }: Seen = {},
  clockTolerance: number,
): AcquireAnswer {
  if (decided) {
    const isExpired =
      holder && isSomebodys(holder) && Number(holder.expire_time) <= Number(decided.lock_time);
    const expired = isExpired ? toLease(holder) : undefined;
    return { outcome: 'granted', lease: grantOf(decided, request), repeated: decided.repeated, expired };
  }
  const other = kept ?? holder;
  if (!other) return errorAnswer(new Error('Others were faster, time and again.'));
  return { outcome: 'busy', holder: toHolder(other, clockTolerance) };
}

/** A lease as it was granted; a repeat may have asked for it otherwise. */
function grantOf(row: SeenRow, request: AcquireRequest): LeaseRecord {
  return row.repeated ? toLease({ ...row, grant_id: request.grantId }) : toGrant(row, request);
}

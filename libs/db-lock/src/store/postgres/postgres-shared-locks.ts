import {
  SHARED_GRANT,
  type DowngradeRequest,
  type ReleaseByGrant,
  type RenewRequest,
  type SharedRequest,
} from '../../lease/requests.js';
import { answerEach, answerInParts, answerTogether, errorAnswer, type BatchOptions } from '../batch.js';
import type {
  AcquireAnswer,
  ErrorAnswer,
  ExpiredLease,
  HolderRecord,
  LeaseRecord,
  ReleaseAnswer,
  RenewAnswer,
} from '../lock-store.js';
import {
  timeBetween,
  toGrant,
  toLease,
  toNext,
  toShare,
  toTime,
  type LockRow,
  type Microseconds,
} from '../rows.js';
import type { DowngradeAnswer, SharedLocks } from '../shared-locks.js';
import { decideShared, sharedAnswers, type FirstWaiter, type SharedState } from '../sharing.js';
import { TURN } from '../wait-queue.js';
import { roundsOfLeases } from '../rounds-of-leases.js';
import type { Run } from './lane.js';
import type { Lanes } from './lanes.js';
import type { OneLock } from './one-lock.js';
import type { SharedStatements } from './shared.sql.js';
import {
  downgradeValues,
  grantValues,
  lookValues,
  nameValues,
  sharedReleaseValues,
  sharedRenewValues,
  type GrantedRequest,
} from './shared-values.js';

/** Leases in shared mode: decided by what a plain read saw, and written where nothing has changed since. */
export class PostgresSharedLocks implements SharedLocks {
  constructor(
    private readonly sql: SharedStatements,
    private readonly oneLock: OneLock,
    private readonly lanes: Record<'acquire' | 'release', Lanes>,
    private readonly batches: BatchOptions,
  ) {}

  async acquire(requests: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    const granted = await this.oneLock.acquire(requests, (statement, values) =>
      this.lanes.acquire.run(statement, values),
    );
    const open = requests.filter((_, index) => !granted[index]);
    if (open.length === 0) return granted as AcquireAnswer[];
    const decided = (await this.#decide(open)).values();
    return requests.map((_, index) => granted[index] ?? decided.next().value!);
  }

  #decide(requests: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    const { acquire } = this.lanes;
    return this.#settling(
      requests,
      async (batch) => {
        const run: Run = (statement, values) => acquire.run(statement, values);
        return this.grant(batch, await this.look(batch, run), run);
      },
      (batch) =>
        acquire.transact(async (run) => {
          await this.take(batch, run);
          return this.grant(batch, await this.look(batch, run), run);
        }),
    );
  }

  /** Keeps the rows of the requests' locks, also of new ones, locked until the transaction ends. */
  async take(requests: ReadonlyArray<{ lockName: string }>, run: Run): Promise<void> {
    await run(this.sql.take, nameValues(requests));
  }

  /** The locks as a plain read sees them, by name; without those that are new. */
  async look(requests: readonly SharedRequest[], run: Run): Promise<Map<string, SeenLock>> {
    const rows = await run<SeenRow>(this.sql.look, lookValues(requests));
    return new Map(rows.map((row) => [row.lock_name, toSeenLock(row)]));
  }

  /**
   * Decides by what was seen, and writes it. Answers undefined for requests of locks that are new or have changed since: nothing was done
   * for these.
   */
  async grant(
    requests: readonly SharedRequest[],
    seen: ReadonlyMap<string, SeenLock>,
    run: Run,
  ): Promise<Array<AcquireAnswer | undefined>> {
    const known = requests.filter(({ lockName }) => seen.has(lockName));
    const granted = grantedOf(known, seen);
    const written = await this.#write(granted, seen, run);
    const changed = new Set(
      granted
        .filter(({ request }) => !written.leases.has(keyOf(request)))
        .map(({ request: { lockName } }) => lockName),
    );
    const settled = known.filter(({ lockName }) => !changed.has(lockName));
    // Each lock is decided by itself: without those that have changed, the others are decided as before.
    const answers = sharedAnswers(settled, decideShared(settled, seen), {
      leaseOf: (index) => written.leases.get(keyOf(settled[index]!))!,
      expired: written.expired,
    }).values();
    return requests.map(({ lockName }) =>
      seen.has(lockName) && !changed.has(lockName) ? answers.next().value! : undefined,
    );
  }

  /** What the statement has written of those who get a lock, or have it already. */
  async #write(
    granted: readonly GrantedRequest[],
    seen: ReadonlyMap<string, SeenLock>,
    run: Run,
  ): Promise<{ leases: Map<string, LeaseRecord>; expired: Map<string, ExpiredLease[]> }> {
    const leases = new Map<string, LeaseRecord>();
    const expired = new Map<string, ExpiredLease[]>();
    if (granted.length === 0) return { leases, expired };
    const { now } = seen.get(granted[0]!.request.lockName)!; // of all: one statement saw them
    const asked = new Map(granted.map(({ request }) => [keyOf(request), request]));
    for (const row of await run<WrittenRow>(this.sql.grant, grantValues(granted, now))) {
      const { written, lock_name: lockName, worker_name, grant_id } = row;
      if (written === 'expired') {
        const lease = { lockName, workerName: worker_name!, fencingToken: Number(row.token) };
        expired.set(lockName, [...(expired.get(lockName) ?? []), lease]);
        continue;
      }
      const key = keyOf({ lockName, grantId: grant_id! });
      const request = asked.get(key)!;
      leases.set(
        key,
        written === 'granted' ? { ...toGrant(row, request), share: { ...request.share } } : toLease(row),
      );
    }
    return { leases, expired };
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return this.#oneByOne(requests, (round) =>
      answerTogether(round, this.batches, async (batch) => {
        const rows = await this.lanes.acquire.run<LockRow>(this.sql.renew, sharedRenewValues(batch));
        const serverTime = toTime(rows[0]!.server_time);
        const renewed = new Map(rows.filter(hasLease).map((row) => [rowKey(row), toLease(row)]));
        return batch.map((request): RenewAnswer => {
          const lease = renewed.get(keyOf(request));
          return lease ? { outcome: 'renewed', lease } : { outcome: 'lost', serverTime };
        });
      }),
    );
  }

  release(requests: readonly ReleaseByGrant[]): Promise<ReleaseAnswer[]> {
    const { release } = this.lanes;
    return this.#oneByOne(requests, (round) =>
      this.#settling(
        round,
        (batch) => this.#end(batch, (statement, values) => release.run(statement, values)),
        (batch) => this.#locked(release, batch, (run) => this.#end(batch, run)),
      ),
    );
  }

  async #end(batch: readonly ReleaseByGrant[], run: Run): Promise<Array<ReleaseAnswer | undefined>> {
    if (this.oneLock.canRelease(batch)) return this.oneLock.release(batch, run);
    const [row] = await run<EndedRow>(this.sql.release, sharedReleaseValues(batch));
    const serverTime = toTime(row!.server_time);
    const [ended, stale] = [placesOf(row!.ended), placesOf(row!.stale)];
    const next = new Map(row!.next?.split(',').map(placeAndNext));
    return batch.map(({ grantId }, index) => {
      const place = index + 1;
      if (stale.has(place)) return undefined;
      if (!ended.has(place)) return { outcome: 'lost', serverTime };
      return { outcome: 'released', grantId, next: toNext({ next: next.get(place) ?? null }), serverTime };
    });
  }

  downgrade(requests: readonly DowngradeRequest[]): Promise<DowngradeAnswer[]> {
    const { acquire } = this.lanes;
    return answerEach(requests, this.batches, async (batch) => {
      const answers = await this.#turn(batch, (statement, values) => acquire.run(statement, values));
      return this.#again(batch, answers, (open) =>
        answerTogether(open, this.batches, (stale) =>
          this.#locked(acquire, stale, (run) => this.#turn(stale, run)),
        ),
      );
    });
  }

  async #turn(batch: readonly DowngradeRequest[], run: Run): Promise<Array<DowngradeAnswer | undefined>> {
    const rows = await run<TurnedRow>(this.sql.downgrade, downgradeValues(batch));
    const byName = new Map(rows.map((row) => [row.lock_name, row]));
    return batch.map(({ lockName }) => {
      const row = byName.get(lockName);
      if (!row) return { outcome: 'lost' };
      if (row.became === 'stale') return undefined;
      const repeated = row.became === 'repeated';
      return { outcome: 'downgraded', lease: toLease(row), repeated, next: toNext(row) };
    });
  }

  /** In a transaction that has locked the rows of the locks first. */
  #locked<Answer>(
    lanes: Lanes,
    batch: ReadonlyArray<{ lockName: string }>,
    answer: (run: Run) => Promise<Answer>,
  ): Promise<Answer> {
    return lanes.transact(async (run) => {
      await run(this.sql.lock, nameValues(batch));
      return answer(run);
    });
  }

  /** Answers all at once; and those that had no answer, as others were at their locks, with the rows of these locked. */
  async #settling<Request extends { lockName: string }, Answer>(
    requests: readonly Request[],
    atOnce: (batch: readonly Request[]) => Promise<Array<Answer | undefined>>,
    locked: (batch: readonly Request[]) => Promise<Array<Answer | undefined>>,
  ): Promise<Array<Answer | ErrorAnswer>> {
    if (requests.length === 0) return [];
    const answers = await answerTogether(requests, this.batches, atOnce);
    return this.#again(requests, answers, (open) => answerTogether(open, this.batches, locked));
  }

  async #again<Request, Answer>(
    requests: readonly Request[],
    answers: ReadonlyArray<Answer | undefined>,
    ask: (open: readonly Request[]) => Promise<Array<Answer | undefined>>,
  ): Promise<Array<Answer | ErrorAnswer>> {
    const open = requests.filter((_, index) => answers[index] === undefined);
    const later = (open.length === 0 ? [] : await ask(open)).values();
    return answers.map((answer) => answer ?? later.next().value ?? errorAnswer(new Error(REMOVED)));
  }

  /** Those about the same grant of the same lock one after the other: a statement would do only one of them. */
  #oneByOne<Request extends { lockName: string; grantId: string }, Answer>(
    requests: readonly Request[],
    answer: (round: readonly Request[]) => Promise<Answer[]>,
  ): Promise<Answer[]> {
    const rounds = roundsOfLeases(requests);
    return rounds.length === 1 ? answer(requests) : answerInParts(requests, rounds, answer);
  }
}

/** Somebody has deleted the row of a lock, past all that keeps us from it. */
const REMOVED = 'The row of the lock was removed meanwhile.';

const keyOf = ({ lockName, grantId }: { lockName: string; grantId: string }) => `${grantId} ${lockName}`;

const rowKey = ({ lock_name, grant_id }: LockRow) => keyOf({ lockName: lock_name, grantId: grant_id! });

const hasLease = ({ grant_id }: LockRow) => grant_id !== null;

/** A lock as a plain read sees it. Null where nobody is there that it would tell of. */
interface SeenRow extends LockRow {
  version: string;
  /** The clock by which all is told. */
  now: Microseconds;
  free_time: Microseconds;
  taken_permits: string | null;
  taken_until: Microseconds | null;
  sharer_name: string | null;
  sharer_lock_time: Microseconds | null;
  sharer_expire_time: Microseconds | null;
  /** Rows of leases, as JSON. */
  own: string | null;
  first_server: string | null;
  first_grant_id: string | null;
  first_ticket: string | null;
  first_name: string | null;
  first_permits: string | null;
  first_limit: string | null;
}

/** A lock as an acquire finds it, and the version of its row. */
export interface SeenLock extends SharedState {
  version: string;
  now: Microseconds;
}

function toSeenLock(row: SeenRow): SeenLock {
  const own = JSON.parse(row.own ?? '[]') as LockRow[];
  return {
    version: row.version,
    now: row.now,
    holder: holderIn(row),
    permits: Number(row.taken_permits ?? 0),
    sharer: sharerIn(row),
    own: new Map(own.map((lease) => [lease.grant_id!, toLease(lease)])),
    first: firstIn(row),
  };
}

function holderIn(row: SeenRow): HolderRecord | undefined {
  const { lock_name, worker_name, grant_id, lock_time, expire_time, now, free_time } = row;
  const isTaken = grant_id !== null && Number(free_time) > Number(now);
  if (!isTaken || grant_id === SHARED_GRANT) return undefined;
  return {
    lockName: lock_name,
    workerName: worker_name!,
    grantId: grant_id,
    lockTime: toTime(lock_time),
    expireTime: toTime(expire_time),
    timeLeft: timeBetween(Number(now), Number(free_time)),
    serverTime: toTime(now),
  };
}

function sharerIn(row: SeenRow): HolderRecord | undefined {
  if (row.sharer_name === null) return undefined;
  return {
    lockName: row.lock_name,
    workerName: row.sharer_name,
    grantId: SHARED_GRANT,
    lockTime: toTime(row.sharer_lock_time!),
    expireTime: toTime(row.sharer_expire_time!),
    timeLeft: timeBetween(Number(row.now), Number(row.taken_until)),
    serverTime: toTime(row.now),
  };
}

function firstIn(row: SeenRow): FirstWaiter | undefined {
  if (row.first_server === null) return undefined;
  const [now, free] = [Number(row.now), Number(row.free_time)];
  const grantId = row.first_grant_id!;
  return {
    server: row.first_server,
    grantId,
    ticket: Number(row.first_ticket),
    share: toShare({ permits: row.first_permits, permit_limit: row.first_limit }) ?? null,
    record: {
      lockName: row.lock_name,
      workerName: row.first_name!,
      grantId,
      lockTime: toTime(free),
      expireTime: toTime(free + TURN * 1000),
      timeLeft: timeBetween(now, free, TURN),
      serverTime: toTime(now),
    },
  };
}

/** Those who get a lock, or have it already, in the order in which that was decided. */
function grantedOf(
  requests: readonly SharedRequest[],
  seen: ReadonlyMap<string, SeenLock>,
): GrantedRequest[] {
  const { decisions, order } = decideShared(requests, seen);
  return order.flatMap((index) => {
    const request = requests[index]!;
    const { outcome } = decisions[index]!;
    if (outcome !== 'granted' && outcome !== 'repeated') return [];
    return { request, version: seen.get(request.lockName)!.version, isNew: outcome === 'granted' };
  });
}

/** A lease that was granted, or repeated; or one that had expired before, of which only these columns are told. */
interface WrittenRow extends LockRow {
  written: 'granted' | 'repeated' | 'expired';
}

interface TurnedRow extends LockRow {
  became: 'downgraded' | 'repeated' | 'stale';
  next: string | null;
}

/** The row that tells of all leases which a release ended: lists of places in the batch, from 1 on, or null for none. */
interface EndedRow {
  ended: string | null;
  stale: string | null;
  /** Each with a server and a grantId. */
  next: string | null;
  server_time: Microseconds;
}

const placesOf = (list: string | null) => new Set(list?.split(',').map(Number));

function placeAndNext(item: string): [number, string] {
  const space = item.indexOf(' ');
  return [Number(item.slice(0, space)), item.slice(space + 1)];
}

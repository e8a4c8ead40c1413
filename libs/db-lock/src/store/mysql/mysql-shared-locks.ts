import type {
  AcquireRequest,
  DowngradeRequest,
  ReleaseByGrant,
  RenewRequest,
  SharedRequest,
} from '../../lease/requests.js';
import {
  answerEach,
  answerInParts,
  answerTogether,
  errorAnswer,
  repeatConflicts,
  type BatchOptions,
} from '../batch.js';
import type {
  AcquireAnswer,
  AcquireSetAnswer,
  ErrorAnswer,
  ExpiredLease,
  HolderRecord,
  LeaseRecord,
  ReleaseAnswer,
  RenewAnswer,
} from '../lock-store.js';
import { toLease, toNext, toTime, type LockRow } from '../rows.js';
import type { DowngradeAnswer, SharedLocks } from '../shared-locks.js';
import { decideShared, sharedAnswers } from '../sharing.js';
import { roundsOfLeases } from '../rounds-of-leases.js';
import { FAULTS } from './errors.js';
import { foundLocks, statesOf, type FoundLock, type FoundRow, type ForgottenRow } from './found-lock.js';
import { packetNumber, type Packet } from './fragments.sql.js';
import type { HolderKey } from './holders.sql.js';
import type { Lanes } from './lane.js';
import type { LockStatements } from './locks.sql.js';
import { partsOf, type Sized } from './parts.js';
import { expiredLease, holderSeen, type SeenRow } from './seen.js';
import type { Purpose } from './sessions.sql.js';
import { SharedGrants } from './shared-grants.js';
import type { SharedStatements } from './shared.sql.js';

type Clock = [{ server_time: string }];

/** What is told of the locks before somebody is granted: they, the leases of who asks, leases that nobody released, and those wanted alone. */
type Told = [FoundRow[], LockRow[], ForgottenRow[], ...Array<SeenRow[]>];

interface NextRow {
  lock_name: string;
  next: string | null;
}

/** What is known of the locks of a set. */
interface SetFound {
  shared: ReadonlyMap<string, FoundLock>;
  alone: ReadonlyMap<string, SeenRow>;
}

/** What of a store leases in shared mode need. */
export interface SharedLocksOptions {
  lanes: Record<Purpose, Lanes>;
  batches: BatchOptions;
  /** The most bytes that the server takes in one packet. */
  maxPacket: number;
  clockTolerance: number;
}

/** Leases in shared mode as SQL. Who is granted is decided here, between the two packets of a transaction. */
export class MysqlSharedLocks implements SharedLocks {
  constructor(
    private readonly sql: SharedStatements,
    private readonly lockSql: Pick<LockStatements, 'look'>,
    private readonly options: SharedLocksOptions,
  ) {}

  acquire(requests: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    return this.#answer(requests, (batch) => this.#acquire(batch));
  }

  /** A plain read refuses what certainly is busy, and locks no row; who might be granted goes on, with all who ask for the same lock. */
  async #acquire(batch: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    const [rows, own] = await this.options.lanes.acquire.run<[FoundRow[], LockRow[]]>(this.sql.look(batch));
    const seen = this.#found([rows, own]);
    const hopeful = new Set<string>();
    for (const [index, { outcome }] of this.#decide(batch, seen).decisions.entries())
      if (outcome === 'granted' || outcome === 'repeated') hopeful.add(batch[index]!.lockName);
    const isHopeful = ({ lockName }: SharedRequest) => hopeful.has(lockName);
    const refused = batch.filter((request) => !isHopeful(request));
    const refusals = sharedAnswers(refused, this.#decide(refused, seen), NOTHING_WRITTEN).values();
    const grants = (hopeful.size > 0 ? await this.#grant(batch.filter(isHopeful)) : []).values();
    return batch.map((request) => (isHopeful(request) ? grants : refusals).next().value!);
  }

  /** Decides by the rows as they are once they are locked, and writes what is granted. */
  async #grant(batch: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    let answers: AcquireAnswer[] = [];
    await this.options.lanes.acquire.transact<Told>(this.sql.begin(batch), (told) => {
      const found = this.#found(told);
      const decided = this.#decide(batch, found);
      const packet = packetNumber();
      const grants = new SharedGrants(packet);
      const expired = new Map<string, readonly ExpiredLease[]>();
      const leases = new Map<number, LeaseRecord>();
      for (const index of decided.order) {
        const request = batch[index]!;
        const decision = decided.decisions[index]!;
        if (decision.outcome === 'repeated') leases.set(index, grants.repeat(request, decision.lease));
        if (decision.outcome !== 'granted') continue;
        const lock = found.get(request.lockName)!;
        if (lock.expired.length > 0) expired.set(request.lockName, lock.expired);
        leases.set(index, grants.share(request, lock));
      }
      answers = sharedAnswers(batch, decided, { leaseOf: (index) => leases.get(index)!, expired });
      return leases.size > 0 ? this.sql.write(grants.writes(batch.some(isQueued)), packet) : undefined;
    });
    return answers;
  }

  #decide(batch: readonly SharedRequest[], found: ReadonlyMap<string, FoundLock>) {
    return decideShared(batch, statesOf(new Set(batch.map(({ lockName }) => lockName)), found));
  }

  #found([rows, own, forgotten = []]: readonly [FoundRow[], LockRow[], ForgottenRow[]?, ...unknown[]]) {
    return foundLocks(rows, own, forgotten, this.options.clockTolerance);
  }

  /** A set of which some are wanted in shared mode: all or none. A plain read comes first, as everywhere. */
  async acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    try {
      return await repeatConflicts(FAULTS, () => this.#acquireSet(requests));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  async #acquireSet(requests: readonly AcquireRequest[]): Promise<AcquireSetAnswer> {
    const shared = requests.filter(isShared);
    const alone = requests.filter((request) => !isShared(request)).map(({ lockName }) => lockName);
    const lookAlone = alone.length > 0 ? this.lockSql.look : undefined;
    const look: Packet = [...this.sql.look(shared), ...(lookAlone?.(alone) ?? [])];
    const [rows, own, seenAlone = []] =
      await this.options.lanes.acquire.run<[FoundRow[], LockRow[], ...Array<SeenRow[]>]>(look);
    const seen = this.#obstacleTo(requests, {
      shared: this.#found([rows, own]),
      alone: seenByName(seenAlone),
    });
    if (seen) return { outcome: 'busy', holder: seen };
    let answer: AcquireSetAnswer | undefined;
    await this.options.lanes.acquire.transact<Told>(this.sql.begin(shared, alone, lookAlone), (told) => {
      const found = { shared: this.#found(told), alone: seenByName(told[3] ?? []) };
      const holder = this.#obstacleTo(requests, found);
      if (holder) {
        answer = { outcome: 'busy', holder };
        return undefined;
      }
      const packet = packetNumber();
      const grants = new SharedGrants(packet);
      answer = this.#grantSet(requests, found, grants);
      return this.sql.write(grants.writes(true), packet);
    });
    return answer!;
  }

  /** Who keeps one of the set from who asks for it. */
  #obstacleTo(requests: readonly AcquireRequest[], { shared, alone }: SetFound): HolderRecord | undefined {
    for (const request of requests) {
      if (isShared(request)) {
        const [answer] = sharedAnswers([request], this.#decide([request], shared), NOTHING_WRITTEN);
        if (answer?.outcome === 'busy') return answer.holder;
      } else {
        const row = alone.get(request.lockName);
        const holder = row && holderSeen(row, request, this.options.clockTolerance);
        if (holder) return holder;
      }
    }
    return undefined;
  }

  #grantSet(
    requests: readonly AcquireRequest[],
    { shared, alone }: SetFound,
    grants: SharedGrants,
  ): AcquireSetAnswer {
    const expired: ExpiredLease[] = [];
    let repeated = true;
    const leases = requests.map((request) => {
      if (isShared(request)) {
        const lock = shared.get(request.lockName)!;
        const own = lock.state.own.get(request.grantId);
        if (own) return grants.repeat(request, own);
        repeated = false;
        expired.push(...lock.expired);
        return grants.share(request, lock);
      }
      const row = alone.get(request.lockName)!;
      if (isLive(row, request)) return grants.repeatAlone(request, row);
      repeated = false;
      expired.push(...[expiredLease(row, request)].filter((lease) => lease !== undefined));
      return grants.alone(request, row);
    });
    return { outcome: 'granted', leases, repeated, expired };
  }

  renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return this.#answerLeases(requests, async (batch) => {
      const [rows, [clock]] = await this.options.lanes.acquire.run<[LockRow[], Clock]>(this.sql.renew(batch));
      const leases = new Map(rows.map((row) => [keyOf(toKey(row)), row]));
      const lost: RenewAnswer = { outcome: 'lost', serverTime: toTime(clock.server_time) };
      return batch.map((request): RenewAnswer => {
        const row = leases.get(keyOf(request));
        return row ? { outcome: 'renewed', lease: toLease(row) } : lost;
      });
    });
  }

  release(requests: readonly ReleaseByGrant[]): Promise<ReleaseAnswer[]> {
    return this.#answerLeases(requests, async (batch) => {
      const [ended, nexts, [clock]] = await this.options.lanes.release.run<
        [Array<Pick<LockRow, 'lock_name' | 'grant_id'>>, NextRow[], Clock]
      >(this.sql.release(batch));
      const keys = new Set(ended.map((row) => keyOf(toKey(row))));
      const nextOf = new Map(nexts.map((row) => [row.lock_name, toNext(row)]));
      const serverTime = toTime(clock.server_time);
      return batch.map((request): ReleaseAnswer => {
        const { lockName, grantId } = request;
        return keys.has(keyOf(request))
          ? { outcome: 'released', grantId, next: nextOf.get(lockName) ?? null, serverTime }
          : { outcome: 'lost', serverTime };
      });
    });
  }

  async downgrade(requests: readonly DowngradeRequest[]): Promise<DowngradeAnswer[]> {
    const answers: DowngradeAnswer[] = [];
    for (const part of partsOf(requests, this.options.maxPacket))
      answers.push(...(await answerEach(part, this.options.batches, (batch) => this.#downgrade(batch))));
    return answers;
  }

  async #downgrade(batch: readonly DowngradeRequest[]): Promise<DowngradeAnswer[]> {
    const [rows, [clock]] = await this.options.lanes.acquire.run<
      [Array<LockRow & NextRow & { repeated: string | number }>, Clock]
    >(this.sql.downgrade(batch));
    const byName = new Map(rows.map((row) => [row.lock_name, row]));
    return batch.map(({ lockName }): DowngradeAnswer => {
      const row = byName.get(lockName);
      if (!row) return { outcome: 'lost', serverTime: toTime(clock.server_time) };
      const repeated = Number(row.repeated) === 1;
      return { outcome: 'downgraded', lease: toLease(row), repeated, next: repeated ? null : toNext(row) };
    });
  }

  /** Answers each request by itself, in packets that the server takes. */
  async #answer<Request extends Sized, Answer>(
    requests: readonly Request[],
    answer: (batch: readonly Request[]) => Promise<Answer[]>,
  ): Promise<Array<Answer | ErrorAnswer>> {
    const answers: Array<Answer | ErrorAnswer> = [];
    for (const part of partsOf(requests, this.options.maxPacket))
      answers.push(...(await answerTogether(part, this.options.batches, answer)));
    return answers;
  }

  /** The same for requests that may mean one lease more than once: as if they came one after the other. */
  #answerLeases<Request extends Sized & HolderKey, Answer>(
    requests: readonly Request[],
    answer: (batch: readonly Request[]) => Promise<Answer[]>,
  ): Promise<Array<Answer | ErrorAnswer>> {
    const rounds = roundsOfLeases(requests);
    if (rounds.length === 1) return this.#answer(requests, answer);
    return answerInParts(requests, rounds, (round) => this.#answer(round, answer));
  }
}

/** Of what was refused, and of what is only looked at. */
const NOTHING_WRITTEN = { leaseOf: () => undefined as never, expired: new Map() };

export const isShared = (request: AcquireRequest): request is SharedRequest => request.share !== undefined;

const isQueued = ({ ticket }: AcquireRequest) => typeof ticket === 'number';

const seenByName = (rows: readonly SeenRow[]) => new Map(rows.map((row) => [row.lock_name, row]));

/** Whether it is the asking one's own lease. */
const isLive = ({ grant_id, expire_time, server_time }: SeenRow, { grantId }: AcquireRequest) =>
  grant_id === grantId && Number(expire_time) > Number(server_time);

const keyOf = ({ lockName, grantId }: HolderKey) => `${grantId} ${lockName}`;

const toKey = ({ lock_name, grant_id }: Pick<LockRow, 'lock_name' | 'grant_id'>): HolderKey => ({
  lockName: lock_name,
  grantId: grant_id!,
});

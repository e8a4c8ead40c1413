import {
  SHARED_GRANT,
  type AcquireRequest,
  type DowngradeRequest,
  type ReleaseByGrant,
  type RenewRequest,
  type SharedRequest,
} from '../../lease/requests.js';
import type {
  AcquireAnswer,
  ExpiredLease,
  HolderRecord,
  LeaseRecord,
  ReleaseAnswer,
  RenewAnswer,
} from '../lock-store.js';
import type { DowngradeAnswer, SharedLocks } from '../shared-locks.js';
import { decideShared, sharedAnswers, sharerOf, type FirstWaiter, type SharedState } from '../sharing.js';
import { TURN } from '../wait-queue.js';
import {
  copyOf,
  dateOf,
  expiredLease,
  versionOf,
  type HolderRow,
  type LockRow,
  type MemoryTables,
} from './memory-tables.js';

/** Leases in shared mode, in memory. */
export class MemorySharedLocks implements SharedLocks {
  /** @param holderOf who keeps a taken lock from others */
  constructor(
    private readonly tables: MemoryTables,
    private readonly holderOf: (row: LockRow) => HolderRecord,
  ) {}

  async acquire(requests: readonly SharedRequest[]): Promise<AcquireAnswer[]> {
    return this.decide(requests);
  }

  /** @param isDryRun only tells what would become of them */
  decide(requests: readonly SharedRequest[], isDryRun = false): AcquireAnswer[] {
    /** By lock. Who asks for one may wait for another. */
    const asking = new Map<string, Set<string>>();
    for (const { lockName, grantId } of requests)
      asking.set(lockName, (asking.get(lockName) ?? new Set()).add(grantId));
    const decided = decideShared(
      requests,
      new Map([...asking].map(([name, grantIds]) => [name, this.#stateOf(name, grantIds)])),
    );
    const expired = new Map<string, ExpiredLease[]>();
    const leases = new Map<number, LeaseRecord>();
    for (const index of isDryRun ? [] : decided.order) {
      const request = requests[index]!;
      const { outcome } = decided.decisions[index]!;
      if (outcome === 'granted') leases.set(index, this.#grant(request, expired));
      if (outcome === 'repeated') leases.set(index, this.#repeat(request));
    }
    return sharedAnswers(requests, decided, { leaseOf: (index) => leases.get(index)!, expired });
  }

  async renew(requests: readonly RenewRequest[]): Promise<RenewAnswer[]> {
    return requests.map(({ lockName, grantId, ttl, held }) => {
      const holder = this.tables.liveHolder(lockName, grantId);
      if (!holder || (held && held.fencingToken !== holder.token)) return { outcome: 'lost', ...this.#time };
      holder.expireTime = Math.max(holder.expireTime, this.tables.now() + ttl);
      holder.version++;
      const row = this.tables.locks.get(lockName)!;
      row.expireTime = Math.max(row.expireTime, holder.expireTime);
      row.version++;
      return { outcome: 'renewed', lease: this.tables.holderLease(holder) };
    });
  }

  async release(requests: readonly ReleaseByGrant[]): Promise<ReleaseAnswer[]> {
    const changed = new Set<LockRow>();
    const answers = requests.map(({ lockName, grantId, minHold = 0, version }): ReleaseAnswer => {
      const holder = this.tables.liveHolder(lockName, grantId);
      if (!holder || (version !== undefined && version !== versionOf(holder)))
        return { outcome: 'lost', ...this.#time };
      this.end(holder, minHold);
      changed.add(this.tables.locks.get(lockName)!);
      return { outcome: 'released', grantId, next: this.nextAfter(lockName, grantId), ...this.#time };
    });
    for (const row of changed) this.tables.settleShared(row);
    return answers;
  }

  async downgrade(requests: readonly DowngradeRequest[]): Promise<DowngradeAnswer[]> {
    return requests.map(({ lockName, grantId, share }) => {
      const known = this.tables.liveHolder(lockName, grantId);
      if (known) {
        known.version++;
        return { outcome: 'downgraded', lease: this.tables.holderLease(known), repeated: true, next: null };
      }
      const row = this.tables.liveLease(lockName, grantId);
      if (!row) return { outcome: 'lost', ...this.#time };
      row.token = this.tables.tokenAfter(row.token);
      const { workerName, token, lockTime, expireTime, metadata } = row;
      const holder: HolderRow = {
        lockName,
        workerName: workerName!,
        grantId,
        token,
        lockTime,
        expireTime,
        metadata: copyOf(metadata),
        share: { ...share },
        isReleased: false,
        version: 1,
      };
      this.tables.holders.set(lockName, new Map([[grantId, holder]]));
      row.grantId = SHARED_GRANT;
      row.version++;
      const lease = this.tables.holderLease(holder);
      return { outcome: 'downgraded', lease, repeated: false, next: this.nextAfter(lockName, grantId) };
    });
  }

  /** Ends a lease; with `minHold`, its permits stay taken until so many milliseconds after its start. Its lock's row is to be settled. */
  end(holder: HolderRow, minHold = 0): void {
    const { lockName, grantId } = holder;
    const holders = this.tables.holders.get(lockName)!;
    const until = holder.lockTime + minHold;
    holders.delete(grantId);
    if (minHold > 0 && until > this.tables.now()) {
      // Nobody knows that key, so nobody repeats, renews or releases it; and who had it may ask again.
      const kept = {
        ...holder,
        grantId: crypto.randomUUID(),
        isReleased: true,
        expireTime: until,
        version: holder.version + 1,
      };
      holders.set(kept.grantId, kept);
    }
  }

  /** The first who waits, where there may be something for it: not for one who wants the lock alone while others have it. */
  nextAfter(lockName: string, ended: string) {
    const first = this.tables.aliveWaiters(lockName).find(({ grantId }) => grantId !== ended);
    if (!first || (!first.share && this.tables.sharersOf(lockName).length > 0)) return null;
    return { server: first.server, grantId: first.grantId };
  }

  #grant(request: SharedRequest, expired: Map<string, ExpiredLease[]>) {
    const { lockName, workerName, grantId, ttl, metadata, share } = request;
    const now = this.tables.now();
    const before = this.tables.locks.get(lockName);
    const sharers = this.tables.sharersOf(lockName);
    if (before) this.#noteExpired(before, sharers, expired);
    this.tables.holders.set(lockName, new Map(sharers.map((holder) => [holder.grantId, holder])));
    const row = this.tables.grant(lockName, request);
    row.grantId = SHARED_GRANT;
    row.expireTime = Math.max(row.expireTime, ...sharers.map(({ expireTime }) => expireTime));
    const holder: HolderRow = {
      lockName,
      workerName,
      grantId,
      token: row.token,
      lockTime: now,
      expireTime: now + ttl,
      metadata: copyOf(metadata),
      share: { ...share },
      isReleased: false,
      version: 1,
    };
    this.tables.holders.get(lockName)!.set(grantId, holder);
    this.tables.leaveQueue(lockName, grantId);
    return this.tables.holderLease(holder, now);
  }

  /** Notes the leases that came to their ends without a release. */
  #noteExpired(before: LockRow, sharers: readonly HolderRow[], expired: Map<string, ExpiredLease[]>): void {
    const { lockName } = before;
    const alive = new Set(sharers);
    const dead = [...(this.tables.holders.get(lockName)?.values() ?? [])].filter(
      (holder) => !alive.has(holder),
    );
    const forgotten =
      before.grantId === SHARED_GRANT
        ? dead.filter(({ isReleased }) => !isReleased).map(toExpired)
        : [expiredLease(before)].filter((lease) => lease !== undefined);
    if (forgotten.length > 0) expired.set(lockName, [...(expired.get(lockName) ?? []), ...forgotten]);
  }

  #repeat({ lockName, grantId }: AcquireRequest) {
    const holder = this.tables.liveHolder(lockName, grantId)!;
    holder.version++;
    this.tables.leaveQueue(lockName, grantId);
    return this.tables.holderLease(holder);
  }

  #stateOf(lockName: string, asking: ReadonlySet<string>): SharedState {
    const row = this.tables.locks.get(lockName);
    const sharers = this.tables.sharersOf(lockName);
    const isTaken = row !== undefined && this.tables.isTaken(row);
    const own = new Map(
      sharers
        .filter(({ grantId }) => asking.has(grantId) && this.tables.liveHolder(lockName, grantId))
        .map((holder) => [holder.grantId, this.tables.holderLease(holder)]),
    );
    const newest = sharers.toSorted((one, other) => other.token - one.token)[0];
    return {
      holder: isTaken && row.grantId !== SHARED_GRANT ? this.holderOf(row) : undefined,
      permits: sharers.reduce((sum, { share }) => sum + share.permits, 0),
      sharer: newest && {
        ...sharerOf(this.tables.holderLease(newest)),
        timeLeft: Math.min(...sharers.map((sharer) => this.#timeLeft(sharer))),
      },
      own,
      first: row && this.#firstWaiter(row, isTaken, asking),
    };
  }

  #timeLeft({ expireTime, isReleased }: HolderRow): number {
    const end = expireTime + (isReleased ? 0 : this.tables.clockTolerance);
    return Math.max(0, Math.floor(end - this.tables.now()));
  }

  /** Nobody may pass the first in the queue while the lock is shared, and for a while after it came free. */
  #firstWaiter(row: LockRow, isTaken: boolean, asking: ReadonlySet<string>): FirstWaiter | undefined {
    const { lockName } = row;
    const freeTime = this.tables.freeTime(row);
    if (!isTaken && freeTime <= this.tables.now() - TURN) return undefined;
    const first = this.tables.aliveWaiters(lockName).find(({ grantId }) => !asking.has(grantId));
    if (!first) return undefined;
    const { server, grantId, ticket, workerName } = first;
    const now = this.tables.now();
    return {
      server,
      grantId,
      ticket,
      share: first.share ?? null,
      record: {
        lockName,
        workerName,
        grantId,
        lockTime: dateOf(freeTime),
        expireTime: dateOf(freeTime + TURN),
        timeLeft: Math.max(0, Math.floor(freeTime + TURN - now)),
        serverTime: dateOf(now),
      },
    };
  }

  get #time() {
    return { serverTime: dateOf(this.tables.now()) };
  }
}

const toExpired = ({ lockName, workerName, token }: HolderRow): ExpiredLease => ({
  lockName,
  workerName,
  fencingToken: token,
});

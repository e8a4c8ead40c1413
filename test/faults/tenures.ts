import type { Share } from '../../libs/db-lock/src/lease/modes.js';
import { SHARED_GRANT } from '../../libs/db-lock/src/lease/requests.js';
import { groupedBy } from './grouping.js';
import type { DatabaseTime, Grant, History, HolderVersion, RowVersion } from './history.js';

/** One grant of a lock, from its beginning to its end. */
export interface Tenure {
  lockName: string;
  grantId: string;
  token: number;
  /** In shared mode. */
  share?: Share;
  from: DatabaseTime;
  /** When it was released or downgraded; else when it expired, by the latest promise that the database or a client has. */
  until: DatabaseTime;
  /** The expiry that the database has; absent when only a client was told of the grant. */
  committedExpiry?: DatabaseTime;
  /** It was released or downgraded before it expired. */
  isEnded?: boolean;
  /** The exclusive one that was turned into it, in one step. */
  downgraded?: Tenure;
  /** It was over, and came to life again: its row was left behind when the lock was shared anew. */
  isRevived?: boolean;
  /** When it was removed from the database, though its holder had not asked for that. */
  takenAwayAt?: DatabaseTime;
}

/** What tells one tenure from another. */
export type TenureKey = Pick<Tenure, 'lockName' | 'grantId' | 'token'>;

/** Every grant that was made: those that the database has, and those that only a client was told of. */
export class Tenures {
  readonly #all: Tenure[] = [];
  readonly #byKey = new Map<string, Tenure>();

  constructor(history: History) {
    const mayBeReleased = new Set(history.releases.map(({ grantId }) => grantId));
    const told = new Set([...history.grants, ...history.downgrades].map(keyOf));
    const isKept = (key: TenureKey) => told.has(keyOf(key)) && !mayBeReleased.has(key.grantId);
    for (const versions of groupedBy(history.rows, ({ lockName }) => lockName).values())
      new Replay(mayBeReleased, isKept, (tenure) => this.#add(tenure)).run(versions);
    for (const grant of history.grants)
      if (!this.find(grant) && !mayBeReleased.has(grant.grantId)) this.#add(tellOf(grant));
    for (const confirmed of [...history.grants, ...history.downgrades, ...history.renewals]) {
      const tenure = this.find(confirmed);
      if (tenure && !tenure.isEnded && Math.floor(tenure.until) < confirmed.expireTime)
        tenure.until = confirmed.expireTime;
    }
  }

  find(key: TenureKey): Tenure | undefined {
    return this.#byKey.get(keyOf(key));
  }

  /** What a reader relies on, who may have its lease by the token that it had before a downgrade. */
  findForReader(key: TenureKey): Tenure | undefined {
    const tenure = this.find(key);
    return this.#all.find(({ downgraded }) => downgraded !== undefined && downgraded === tenure) ?? tenure;
  }

  /** Of each lock, in the order of their beginnings; of those that were let in together, in the order of their tokens. */
  byLock(): Array<readonly Tenure[]> {
    const inOrder = this.#all.toSorted(
      (one, other) => one.from - other.from || (one.share && other.share ? one.token - other.token : 0),
    );
    return [...groupedBy(inOrder, ({ lockName }) => lockName).values()];
  }

  #add(tenure: Tenure): void {
    this.#all.push(tenure);
    this.#byKey.set(keyOf(tenure), tenure);
  }
}

/** A row of the table of holders, and the lease that it is. */
interface Holder {
  tenure: Tenure;
  expireTime: DatabaseTime;
}

/** Reads the versions of one lock's rows as the stores do: holders count only while the lock is shared. */
class Replay {
  #row?: RowVersion;
  /** The lease of the lock's row, while that is not shared. */
  #exclusive?: Tenure;
  /** The same, also when the lock was shared since. */
  #latestExclusive?: Tenure;
  readonly #holders = new Map<string, Holder>();
  /** The grantIds of those who are there while the lock is not shared. */
  readonly #over = new Set<string>();
  /** The grantIds of those who were there already when the lock was shared anew. */
  #leftBehind: string[] = [];

  /**
   * @param mayBeReleased the grantIds of leases whose ends were asked for
   * @param isKept whether a client has a lease, and has not asked for its end
   */
  constructor(
    private readonly mayBeReleased: ReadonlySet<string>,
    private readonly isKept: (key: TenureKey) => boolean,
    private readonly add: (tenure: Tenure) => void,
  ) {}

  run(versions: ReadonlyArray<RowVersion | HolderVersion>): void {
    for (const version of versions)
      if ('permits' in version) this.#readHolder(version);
      else this.#readRow(version);
    this.#revive();
  }

  #readRow(version: RowVersion): void {
    this.#revive();
    const isShared = version.grantId === SHARED_GRANT;
    const wasShared = this.#row?.grantId === SHARED_GRANT;
    if (wasShared && !isShared) for (const grantId of this.#holders.keys()) this.#over.add(grantId);
    if (!isShared) this.#readExclusive(version, wasShared);
    else if (!wasShared) this.#shareAnew();
    this.#row = version;
  }

  /** Those that are over have to go in the same transaction, which is behind us when the lock's row is written again. */
  #shareAnew(): void {
    this.#exclusive = undefined;
    this.#leftBehind = [...this.#over];
    this.#over.clear();
  }

  #revive(): void {
    const from = this.#row?.lockTime ?? 0;
    for (const grantId of this.#leftBehind.splice(0)) {
      const holder = this.#holders.get(grantId);
      if (!holder || holder.expireTime <= from) continue;
      const { lockName, token, share } = holder.tenure;
      const until = holder.expireTime;
      holder.tenure = {
        lockName,
        grantId,
        token,
        share,
        from,
        until,
        committedExpiry: until,
        isRevived: true,
      };
      this.add(holder.tenure);
    }
  }

  #readExclusive(
    { lockName, grantId, token, lockTime, expireTime, passed }: RowVersion,
    wasShared: boolean,
  ): void {
    let tenure = this.#exclusive;
    if (passed && tenure && this.mayBeReleased.has(tenure.grantId)) {
      // Passed on: the release of its holder was the grant of the next one.
      tenure.isEnded = true;
      tenure.until = Math.min(tenure.until, lockTime);
    }
    if (grantId === null) {
      if (wasShared) for (const holder of this.#holders.values()) this.#end(holder, expireTime);
      if (tenure) tenure.isEnded = true;
    } else if (tenure?.token !== token || tenure.grantId !== grantId) {
      tenure = { lockName, grantId, token, from: lockTime, until: expireTime };
      this.#exclusive = this.#latestExclusive = tenure;
      this.add(tenure);
    }
    if (!tenure) return;
    tenure.until = expireTime;
    if (grantId !== null) tenure.committedExpiry = expireTime;
  }

  #readHolder(version: HolderVersion): void {
    const { lockName, grantId, token, permits, limit, lockTime, expireTime, at } = version;
    const known = this.#holders.get(grantId);
    if (version.isGone || version.releaseTime !== null) {
      if (known) this.#end(known, at);
      this.#holders.delete(grantId);
    } else if (known?.tenure.token === token) {
      const { tenure } = known;
      known.expireTime = tenure.committedExpiry = expireTime;
      if (!tenure.isEnded) tenure.until = expireTime;
    } else {
      const share = { permits, limit };
      const tenure = { lockName, grantId, token, share, from: lockTime, until: expireTime };
      const begun: Tenure = { ...tenure, committedExpiry: expireTime, ...this.#downgrade(version) };
      this.#holders.set(grantId, { tenure: begun, expireTime });
      this.#over.delete(grantId);
      this.#leftBehind = this.#leftBehind.filter((left) => left !== grantId);
      this.add(begun);
    }
  }

  /** Ends the exclusive lease that is downgraded to it. */
  #downgrade({ grantId, lockTime, at }: HolderVersion): Pick<Tenure, 'from' | 'downgraded'> | undefined {
    const before = this.#latestExclusive;
    const isSame = before?.grantId === grantId && before.from === lockTime;
    if (!before || !isSame || before.isEnded) return undefined;
    before.isEnded = true;
    before.until = Math.min(before.until, at);
    return { from: at, downgraded: before };
  }

  /** It does not end for those who think that they have it. */
  #end({ tenure }: Holder, at: DatabaseTime): void {
    if (tenure.isEnded || at >= tenure.until) return;
    if (this.isKept(tenure)) tenure.takenAwayAt ??= at;
    else {
      tenure.isEnded = true;
      tenure.until = at;
    }
  }
}

function tellOf({ lockName, grantId, token, lockTime, expireTime, share }: Grant): Tenure {
  return { lockName, grantId, token, share, from: lockTime, until: expireTime };
}

function keyOf({ lockName, grantId, token }: TenureKey): string {
  return `${token} ${grantId} ${lockName}`;
}

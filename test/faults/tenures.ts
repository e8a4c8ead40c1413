import { groupedBy } from './grouping.js';
import type { DatabaseTime, Grant, History } from './history.js';

/** One grant of a lock, from its beginning to its end. */
export interface Tenure {
  lockName: string;
  grantId: string;
  token: number;
  from: DatabaseTime;
  /** When it was released; else when it expired, by the latest promise that the database or a client has. */
  until: DatabaseTime;
  /** The expiry that the database has; absent when only a client was told of the grant. */
  committedExpiry?: DatabaseTime;
}

/** What tells one tenure from another. */
export type TenureKey = Pick<Tenure, 'lockName' | 'grantId' | 'token'>;

/** Every grant that was made: those that the database has, and those that only a client was told of. */
export class Tenures {
  readonly #byKey = new Map<string, Tenure>();

  constructor(history: History) {
    const mayBeReleased = new Set(history.releases.map(({ grantId }) => grantId));
    const released = this.#addCommitted(history, mayBeReleased);
    for (const grant of history.grants)
      if (!this.find(grant) && !mayBeReleased.has(grant.grantId)) this.#add(tellOf(grant));
    for (const confirmed of [...history.grants, ...history.renewals]) {
      const tenure = this.find(confirmed);
      if (tenure && !released.has(tenure) && Math.floor(tenure.until) < confirmed.expireTime)
        tenure.until = confirmed.expireTime;
    }
  }

  find(key: TenureKey): Tenure | undefined {
    return this.#byKey.get(keyOf(key));
  }

  /** Of each lock, in the order of their beginnings. */
  byLock(): Array<readonly Tenure[]> {
    const inOrder = [...this.#byKey.values()].sort((one, other) => one.from - other.from);
    return [...groupedBy(inOrder, ({ lockName }) => lockName).values()];
  }

  #add(tenure: Tenure): Tenure {
    this.#byKey.set(keyOf(tenure), tenure);
    return tenure;
  }

  /** Adds what the rows tell, and returns those that were released. */
  #addCommitted({ rows }: History, mayBeReleased: ReadonlySet<string>): Set<Tenure> {
    const released = new Set<Tenure>();
    const current = new Map<string, Tenure>();
    for (const { lockName, grantId, token, lockTime, expireTime, passed } of rows) {
      let tenure = current.get(lockName);
      if (passed && tenure && mayBeReleased.has(tenure.grantId)) {
        // Passed on: the release of its holder was the grant of the next one.
        released.add(tenure);
        tenure.until = Math.min(tenure.until, lockTime);
      }
      if (grantId === null) {
        if (tenure) released.add(tenure);
      } else if (tenure?.token !== token || tenure.grantId !== grantId) {
        tenure = this.#add({ lockName, grantId, token, from: lockTime, until: expireTime });
        current.set(lockName, tenure);
      }
      if (!tenure) continue;
      tenure.until = expireTime;
      if (grantId !== null) tenure.committedExpiry = expireTime;
    }
    return released;
  }
}

function tellOf({ lockName, grantId, token, lockTime, expireTime }: Grant): Tenure {
  return { lockName, grantId, token, from: lockTime, until: expireTime };
}

function keyOf({ lockName, grantId, token }: TenureKey): string {
  return `${token} ${grantId} ${lockName}`;
}

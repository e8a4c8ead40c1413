import { SHARED_GRANT, type AcquireRequest, type SharedRequest } from '../../lease/requests.js';
import type { LeaseRecord } from '../lock-store.js';
import { toLease, type LockRow } from '../rows.js';
import type { FoundLock } from './found-lock.js';
import { microsecondsOf } from './fragments.sql.js';
import type { HolderKey } from './holders.sql.js';
import type { HolderWrite, LockWrite, SharedWrites } from './shared.sql.js';

/** What a transaction grants, one after the other, by the rows that it has locked. */
export class SharedGrants {
  readonly #locks = new Map<string, LockWrite>();
  readonly #holders: HolderWrite[] = [];
  readonly #repeated: HolderKey[] = [];
  readonly #repeatedAlone: string[] = [];
  readonly #emptied = new Set<string>();
  readonly #cleaned = new Set<string>();
  readonly #leaving: HolderKey[] = [];

  /** @param version what all rows get that are written */
  constructor(private readonly version: string) {}

  /** A lease in shared mode, beside those that the lock's row tells of and those that were granted just now. */
  share(request: SharedRequest, lock: FoundLock): LeaseRecord {
    const { lockName, workerName, grantId, ttl, metadata, share } = request;
    const { row, leftovers } = lock;
    if (leftovers === 'all') this.#emptied.add(lockName);
    if (leftovers === 'dead') this.#cleaned.add(lockName);
    const before = this.#locks.get(lockName);
    const lockTime = Number(row.server_time);
    const token = Math.max(Number(before?.token ?? row.token) + 1, lockTime);
    const expireTime = lockTime + microsecondsOf(ttl);
    const lease = { lockName, workerName, token, lockTime, metadata };
    this.#holders.push({ ...lease, grantId, share, expireTime });
    const lastEnd = Math.max(expireTime, before?.expireTime ?? lock.lastEnd);
    this.#locks.set(lockName, { ...lease, grantId: SHARED_GRANT, expireTime: lastEnd });
    this.#leaving.push(request);
    return { ...this.#leaseOf({ ...lease, grantId, expireTime }), share: { ...share } };
  }

  /** A lease in shared mode that is there already. */
  repeat(request: AcquireRequest, lease: LeaseRecord): LeaseRecord {
    this.#repeated.push(request);
    this.#leaving.push(request);
    return { ...lease, version: this.version };
  }

  /** An exclusive lease. */
  alone(request: AcquireRequest, row: LockRow): LeaseRecord {
    const { lockName, workerName, grantId, ttl, metadata } = request;
    const lockTime = Number(row.server_time);
    const token = Math.max(Number(row.token) + 1, lockTime);
    const write = {
      lockName,
      workerName,
      grantId,
      token,
      lockTime,
      expireTime: lockTime + microsecondsOf(ttl),
      metadata,
    };
    this.#locks.set(lockName, write);
    this.#leaving.push(request);
    return this.#leaseOf(write);
  }

  /** An exclusive lease that is there already. */
  repeatAlone(request: AcquireRequest, row: LockRow): LeaseRecord {
    this.#repeatedAlone.push(request.lockName);
    this.#leaving.push(request);
    return { ...toLease(row), version: this.version };
  }

  /** @param isQueued some may stand in a queue */
  writes(isQueued: boolean): SharedWrites {
    return {
      emptied: [...this.#emptied],
      cleaned: [...this.#cleaned],
      holders: this.#holders,
      locks: [...this.#locks.values()],
      repeated: this.#repeated,
      repeatedAlone: this.#repeatedAlone,
      leaving: isQueued ? this.#leaving : [],
    };
  }

  #leaseOf(write: LockWrite): LeaseRecord {
    const { lockName, workerName, grantId, token, lockTime, expireTime, metadata } = write;
    return toLease({
      lock_name: lockName,
      worker_name: workerName,
      grant_id: grantId,
      token,
      lock_time: lockTime,
      expire_time: expireTime,
      server_time: lockTime,
      metadata: metadata && JSON.stringify(metadata),
      version: this.version,
    });
  }
}

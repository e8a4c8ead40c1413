import { monotonicNow } from '../lease/clock.js';
import { RecentMap } from '../lease/recent-map.js';
import { SHARED_GRANT } from '../lease/requests.js';
import type { HolderRecord, LeaseRecord } from '../store/lock-store.js';

/** At least so many locks are remembered. */
const LOCKS = 10_000;

interface Memory {
  holder: HolderRecord;
  /** Since when it has had so much time left, on the monotonic clock. */
  at: number;
}

/**
 * Locks that this process knows to be held: from grants that it has got itself, and from refusals. Another server may
 * free one of them without telling; so nothing is believed for longer than `bound` milliseconds.
 */
export class KnownBusy {
  readonly #memories?: RecentMap<string, Memory>;

  /** @param bound milliseconds; 0 remembers nothing */
  constructor(private readonly bound: number) {
    if (bound > 0) this.#memories = new RecentMap(LOCKS);
  }

  /** @param at since when it has had so much time left, on the monotonic clock */
  learn(holder: HolderRecord & Pick<LeaseRecord, 'share'>, at = monotonicNow()): void {
    if (!this.#memories) return;
    // Who has a lock in shared mode refuses not everybody, and one of several that goes ends nothing.
    if (holder.share || holder.grantId === SHARED_GRANT) this.#memories.delete(holder.lockName);
    else this.#memories.set(holder.lockName, { holder, at });
  }

  forget(lockName: string): void {
    this.#memories?.delete(lockName);
  }

  /** Who holds the lock for sure enough to refuse it; undefined when the store must be asked, as for the holder itself. */
  holderOf({ lockName, grantId }: { lockName: string; grantId: string }): HolderRecord | undefined {
    const memory = this.#memories?.get(lockName);
    if (!memory || memory.holder.grantId === grantId) return undefined;
    const age = monotonicNow() - memory.at;
    const timeLeft = Math.floor(memory.holder.timeLeft - age);
    if (age < this.bound && timeLeft > 0) return { ...memory.holder, timeLeft };
    this.#memories?.delete(lockName);
    return undefined;
  }
}

import { inspect, type InspectOptions } from 'node:util';
import type { Lease } from './lease.js';
import { sharedClasses } from '../lease/copies.js';

/** The leases of several locks that were acquired together, all or none. Lost as a whole when one of them is. */
export class LeaseSet {
  /** Aborts, with a `LeaseLostError` as its reason, when the first of the leases is lost. */
  readonly signal: AbortSignal;

  /** @internal Sets are made by the client. */
  constructor(
    /** In the order of the names asked for. */
    readonly leases: readonly Lease[],
  ) {
    this.signal = AbortSignal.any(leases.map((lease) => lease.signal));
  }

  /** Milliseconds for which all leases may still be trusted; 0 when one of them is over. */
  get timeLeft(): number {
    return Math.min(...this.leases.map((lease) => lease.timeLeft));
  }

  /** The lease of one lock; undefined for a name that was not asked for. */
  get(lockName: string): Lease | undefined {
    return this.leases.find((lease) => lease.lockName === lockName);
  }

  /** What may be shown and logged of it: never a key. */
  toJSON(): object {
    return { leases: this.leases.map((lease) => lease.toJSON()) };
  }

  /** Shown by `console.log` as `toJSON` has it. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `${this.constructor.name} ${inspect(this.toJSON(), { ...options, depth: 2 })}`;
  }

  /**
   * Ends all leases. Repeating it is harmless.
   * @throws LeaseLostError, StoreUnavailableError: that of the first lease whose release failed; all were tried.
   */
  async release(): Promise<void> {
    const releases = await Promise.allSettled(this.leases.map((lease) => lease.release()));
    const failed = releases.find((release) => release.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Releases at the end of an `await using` block. Never throws: a failure is logged, the leases run to their ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.leases.map((lease) => lease[Symbol.asyncDispose]()));
  }
}

sharedClasses({ LeaseSet });

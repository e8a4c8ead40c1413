import { AsyncLocalStorage } from 'node:async_hooks';
import { sharedValue } from '../lease/copies.js';
import type { BasicLease } from './basic-lease.js';
import type { Lease } from './lease.js';

/** A lease under which works run, nested in one another: it is released when the last of them has ended. */
export class Hold {
  #works = 0;

  constructor(
    private readonly client: object,
    readonly lease: BasicLease,
  ) {}

  /** No work runs under it any more. */
  get over(): boolean {
    return this.#works === 0;
  }

  /** Whether another work of this client may run under it. */
  admits(client: object, lockName: string): boolean {
    return this.client === client && this.lease.lockName === lockName && this.lease.timeLeft > 0;
  }

  enter(): void {
    this.#works++;
  }

  async leave(): Promise<void> {
    this.#works--;
    if (this.over) await this.lease[Symbol.asyncDispose]();
  }
}

/** What a work runs under, inside the work that began it. */
interface Frame {
  holds: readonly Hold[];
  outer?: Frame;
}

const frames = sharedValue('frames', () => new AsyncLocalStorage<Frame>());

/** All holds that are not over, the innermost first. */
function* holdsHere(): Generator<Hold> {
  for (let frame = frames.getStore(); frame; frame = frame.outer)
    for (const hold of frame.holds) if (!hold.over) yield hold;
}

/** A live lease of the client's under which the caller runs. */
export function holdHere(client: object, lockName: string): Hold | undefined {
  for (const hold of holdsHere()) if (hold.admits(client, lockName)) return hold;
  return undefined;
}

/** Runs the work; whatever it calls, also asynchronously, finds the leases. */
export function runUnder<Result>(holds: readonly Hold[], work: () => Result): Result {
  return frames.run({ holds, outer: frames.getStore() }, work);
}

/**
 * The lease under which the caller runs: in the work of `withLock` and `withLocks`, in a method with `@UseLock()`, and
 * in whatever these call, also asynchronously. Of several, that of `lockName`; without a name the innermost, of a
 * `withLocks` the first. A lost lease is still it, with its signal aborted; undefined when the work has ended, and outside.
 *
 *     currentLease()?.signal.throwIfAborted();
 *
 * `currentLease<BasicLease>()` in the work of a `DjangoDbLockClient`, whose leases know less.
 */
export function currentLease<Held extends BasicLease = Lease>(lockName?: string): Held | undefined {
  for (const { lease } of holdsHere())
    if (lockName === undefined || lease.lockName === lockName) return lease as Held;
  return undefined;
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { sharedValue } from '../lease/copies.js';
import { InvalidLockRequestError } from '../lease/errors.js';
import type { Share } from '../lease/modes.js';
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

  get isShared(): boolean {
    return 'mode' in this.lease && this.lease.mode === 'shared';
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

/** All holds that are not over, the innermost first. Nearly every acquire asks, and nearly none is inside a work. */
const holdsHere = (): Iterable<Hold> => {
  const frame = frames.getStore();
  return frame ? holdsIn(frame) : [];
};

function* holdsIn(innermost: Frame): Generator<Hold> {
  for (let frame: Frame | undefined = innermost; frame; frame = frame.outer)
    for (const hold of frame.holds) if (!hold.over) yield hold;
}

/**
 * A live lease of the client's under which the caller runs.
 * @param share of who asks for a lease in shared mode
 * @throws InvalidLockRequestError where it is in shared mode and the caller wants the lock exclusively: it would wait for itself.
 */
export function holdHere(client: object, lockName: string, share: Share | undefined): Hold | undefined {
  for (const hold of holdsHere()) {
    if (!hold.admits(client, lockName)) continue;
    if (hold.isShared && !share) throw new InvalidLockRequestError([NO_UPGRADE]);
    return hold;
  }
  return undefined;
}

const NO_UPGRADE = {
  field: 'mode',
  rule:
    "must be 'shared' inside a shared lease of the same lock: an exclusive one would wait for the shared one to be released. " +
    'Release it first, or take the lock exclusively and downgrade the lease',
};

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

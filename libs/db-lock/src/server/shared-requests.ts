import { InvalidLockRequestError } from '../lease/errors.js';
import type { DowngradeRequest, ReleaseByGrant, RenewRequest, SharedRequest } from '../lease/requests.js';
import { Coalescer, type CoalescerOptions } from '../store/coalescer.js';
import { acquireOncePerGrant } from '../store/contention.js';
import type { AcquireAnswer, LockStore, ReleaseAnswer, RenewAnswer } from '../store/lock-store.js';
import type { StatementTellers } from '../telemetry/statements.js';
import type { StatementKind } from '../telemetry/telemetry.js';
import type { DowngradeAnswer, SharedLocks } from '../store/shared-locks.js';
import type { NextInLine } from '../store/wait-queue.js';
import type { ClockWatch } from './clock-watch.js';
import { ownAnswers } from './own-answers.js';

/** The most requests of one kind that go together: nearly always they are about few locks. */
const MAX_BATCH = 1_000;

/** A release of one must not hold up those behind it when it is slow. */
const MAX_UNDER_WAY = 2;

/** The ways to the store for all that is about leases in shared mode: many requests of one lock go together, and are decided in order. */
export class SharedRequests {
  readonly acquires: Coalescer<SharedRequest, AcquireAnswer>;
  readonly renewals: Coalescer<RenewRequest, RenewAnswer>;
  readonly releases: Coalescer<ReleaseByGrant, ReleaseAnswer>;
  readonly downgrades: Coalescer<DowngradeRequest, DowngradeAnswer>;

  /** @param onNext somebody on another server may have a lock, too */
  constructor(
    locks: SharedLocks,
    watch: ClockWatch,
    { maxAge, maxQueued }: Pick<CoalescerOptions<never, never>, 'maxAge' | 'maxQueued'>,
    onNext: (lockName: string, next: NextInLine) => void,
    tellerOf: StatementTellers,
  ) {
    const common = { maxBatch: MAX_BATCH, maxAge, maxUnderWay: MAX_UNDER_WAY };
    this.acquires = new Coalescer({
      ...common,
      maxQueued,
      onAnswered: tellerOf('acquire_shared'),
      answer: async (batch) => {
        const answers = watch.heard(
          watch.asks(batch),
          ownAnswers(batch, await acquireOncePerGrant(locks, batch)),
        );
        for (const [lockName, next] of nextOf(answers)) onNext(lockName, next);
        return answers;
      },
    });
    this.renewals = new Coalescer({
      ...common,
      onAnswered: tellerOf('renew_shared'),
      answer: async (batch) => watch.heard(watch.asks(batch), ownAnswers(batch, await locks.renew(batch))),
    });
    this.releases = new Coalescer({
      ...common,
      onAnswered: tellerOf('release_shared'),
      answer: async (batch) => watch.heard(watch.asks([]), ownAnswers(batch, await locks.release(batch))),
    });
    this.downgrades = new Coalescer({
      ...common,
      onAnswered: tellerOf('downgrade'),
      answer: async (batch) => ownAnswers(batch, await locks.downgrade(batch)),
    });
  }

  /** How many requests of each kind queue. */
  *queued(): Iterable<[StatementKind, number]> {
    yield ['acquire_shared', this.acquires.queued];
    yield ['renew_shared', this.renewals.queued];
    yield ['release_shared', this.releases.queued];
    yield ['downgrade', this.downgrades.queued];
  }

  get isBusy(): boolean {
    return this.acquires.isBusy || this.releases.isBusy || this.downgrades.isBusy;
  }
}

/** Who may have each lock, too, that was granted. */
function nextOf(answers: readonly AcquireAnswer[]): Map<string, NextInLine> {
  const next = new Map<string, NextInLine>();
  for (const answer of answers)
    if (answer.outcome === 'granted' && answer.next) next.set(answer.lease.lockName, answer.next);
  return next;
}

/** The mistake of one who asks a store for a mode that it doesn't know. */
export const noSharedLocks = (store: LockStore) =>
  new InvalidLockRequestError([
    { field: 'mode', rule: `must be 'exclusive': ${store.constructor.name} has no leases in shared mode` },
  ]);

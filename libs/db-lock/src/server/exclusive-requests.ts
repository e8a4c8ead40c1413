import type { AcquireRequest, ReleaseRequest, RenewRequest } from '../lease/requests.js';
import { Coalescer, type CoalescerOptions } from '../store/coalescer.js';
import { acquireOncePerName } from '../store/contention.js';
import type {
  AcquireAnswer,
  AcquireSetAnswer,
  LockStore,
  ReleaseAnswer,
  RenewAnswer,
} from '../store/lock-store.js';
import type { PassAnswer, PassRequest } from '../store/wait-queue.js';
import type { StatementTellers } from '../telemetry/statements.js';
import type { StatementKind } from '../telemetry/telemetry.js';
import type { ClockWatch } from './clock-watch.js';
import { ownAnswers, ownSet } from './own-answers.js';

/**
 * The most requests that one statement takes. With so many, what each statement costs by itself counts for little, and half of 256 callers
 * wait for an acquire while the store works on the releases of the others, and this process on its answers: with all of them in
 * one batch, the two would wait for each other.
 */
const MAX_BATCH = 128;

/**
 * So many requests are worth a statement beside the one that is under way: twice as many as would have gone with it. With fewer callers
 * the two would hinder each other; with thousands of them and a database that is some milliseconds away, one at a time is too few.
 */
const WORTH_IT = 2 * MAX_BATCH;

/** The most locks that are passed on at once. */
const MAX_PASSES = 256;

/** All leases of a process that are due, if there aren't more. */
const MAX_RENEWALS = 1_000;

/** The most statements of one kind under way. One is enough for hundreds of callers, unless it is slow: that one must not hold up those behind it. */
const MAX_UNDER_WAY = { acquires: 3, renewals: 2, releases: 2 };

/** The ways to the store for all that is about leases in exclusive mode, and for locks that are acquired together, in whatever mode. */
export class ExclusiveRequests {
  readonly acquires: Coalescer<AcquireRequest, AcquireAnswer>;
  readonly renewals: Coalescer<RenewRequest, RenewAnswer>;
  readonly releases: Coalescer<ReleaseRequest, ReleaseAnswer>;
  readonly passes: Coalescer<PassRequest, PassAnswer>;
  readonly sets: Coalescer<readonly AcquireRequest[], AcquireSetAnswer>;

  /** @param server names this one in the queues of those who wait */
  constructor(
    store: LockStore,
    watch: ClockWatch,
    { maxAge, maxQueued }: Pick<CoalescerOptions<never, never>, 'maxAge' | 'maxQueued'>,
    server: string,
    tellerOf: StatementTellers,
  ) {
    const common = { maxBatch: MAX_BATCH, maxAge };
    this.acquires = new Coalescer({
      ...common,
      maxQueued,
      maxUnderWay: MAX_UNDER_WAY.acquires,
      worthIt: WORTH_IT,
      onAnswered: tellerOf('acquire'),
      answer: async (batch) =>
        watch.heard(watch.asks(batch), ownAnswers(batch, await acquireOncePerName(store, batch))),
    });
    this.renewals = new Coalescer({
      ...common,
      maxBatch: MAX_RENEWALS,
      maxUnderWay: MAX_UNDER_WAY.renewals,
      onAnswered: tellerOf('renew'),
      answer: async (batch) => watch.heard(watch.asks(batch), ownAnswers(batch, await store.renew(batch))),
    });
    this.releases = new Coalescer({
      ...common,
      maxUnderWay: MAX_UNDER_WAY.releases,
      worthIt: WORTH_IT,
      onAnswered: tellerOf('release'),
      answer: async (batch) => watch.heard(watch.asks([]), ownAnswers(batch, await store.release(batch))),
    });
    this.passes = new Coalescer({
      ...common,
      maxBatch: MAX_PASSES,
      onAnswered: tellerOf('pass'),
      answer: async (batch) => {
        const successors = batch.map(({ successor }) => successor);
        const sentAt = watch.asks(successors);
        return watch.heard(sentAt, ownAnswers(successors, await store.queue!.pass(server, batch)));
      },
    });
    this.sets = new Coalescer({
      ...common,
      maxBatch: 1, // one at a time: it may lock a hundred rows
      maxQueued,
      onAnswered: tellerOf('acquire_set'),
      answer: async ([set]) => watch.heard(watch.asks(set!), [ownSet(set!, await store.acquireSet(set!))]),
    });
  }

  /** How many requests of each kind queue. */
  *queued(): Iterable<[StatementKind, number]> {
    yield ['acquire', this.acquires.queued];
    yield ['acquire_set', this.sets.queued];
    yield ['renew', this.renewals.queued];
    yield ['release', this.releases.queued];
    yield ['pass', this.passes.queued];
  }

  /** Whether anything is on its way that may grant or end a lease. */
  get isBusy(): boolean {
    return this.acquires.isBusy || this.sets.isBusy || this.passes.isBusy || this.releases.isBusy;
  }
}

import type { z } from 'zod';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../lease/clock.js';
import { ClientClosedError, InvalidLockRequestError } from '../lease/errors.js';
import { lockNameSchema } from '../lease/names.js';
import {
  acquireSetSchema,
  downgradeRequestSchema,
  parseRequest,
  releaseRequestSchema,
  renewRequestSchema,
  waitingAcquireSchema,
  type AcquireRequest,
  type AcquireSetRequest,
  type DowngradeRequest,
  type ReleaseByGrant,
  type ReleaseRequest,
  type RenewRequest,
  type SharedRequest,
  type WaitingAcquireRequest,
} from '../lease/requests.js';
import type { HistoryRecorder } from '../history/history-recorder.js';
import type { LockEventSink } from '../events/lock-events.js';
import type { Absence } from '../store/coalescer.js';
import {
  MIN_IDLE,
  type AcquireAnswer,
  type AcquireSetAnswer,
  type HolderRecord,
  type InspectedLock,
  type LeaseRecord,
  type LockStore,
  type ReleaseAnswer,
  type RenewAnswer,
} from '../store/lock-store.js';
import type { DowngradeAnswer } from '../store/shared-locks.js';
import type { NextInLine } from '../store/wait-queue.js';
import type { QueuedAcquire } from '../waiting/queued-acquire.js';
import type { WaitingLine } from '../waiting/waiting-line.js';
import { WaitingRoom } from '../waiting/waiting-room.js';
import { ClockWatch } from './clock-watch.js';
import { ExclusiveRequests } from './exclusive-requests.js';
import { KnownBusy } from './known-busy.js';
import { OperatorDesk } from './operator-desk.js';
import { Reporter } from './reporter.js';
import { settled, type Settled } from './settled.js';
import { noSharedLocks, SharedRequests } from './shared-requests.js';
import { Stopwatch } from './stopwatch.js';
import { UnwantedLeases } from './unwanted-leases.js';
import { asDecision, asFailure, WaitingAcquire, type WaitingActs } from './waiting-acquire.js';
import { StoreClock } from '../lease/store-clock.js';
import { statementTellers } from '../telemetry/statements.js';
import type { AcquireOutcome, ServerTelemetry, StatementKind } from '../telemetry/telemetry.js';
import type { ServerTraces } from '../telemetry/traces.js';
import { sharedClasses } from '../lease/copies.js';

export interface LockServerOptions {
  /** Milliseconds that a request may queue before the store takes it; default 5,000. */
  queueTimeout?: number;
  /**
   * Milliseconds for which a lock that was found busy may be refused without asking anybody, to those who don't wait; never longer
   * than its lease has left. Default 0: each is asked for.
   */
  knownBusy?: number;
  /** The most acquires that may queue for the store; more are refused. Default 10,000. */
  maxQueued?: number;
  /** Where to tell what happens. */
  events?: LockEventSink;
  /** Who writes down what happens. */
  recorder?: HistoryRecorder;
  /** The store's clock, as this learns it; others may go by it. */
  clock?: StoreClock;
  /** Who is told, in numbers and spans, what goes on. */
  telemetry?: ServerTelemetry;
}

/** A grant, and when the store was asked for it, on this process's monotonic clock. */
type Granted<Answer> = Extract<Answer, { outcome: 'granted' }> & { sentAt: number };

/** What an acquire comes to: `granted`, or `busy` with the holder. */
export type AcquireResult = Granted<AcquireAnswer> | { outcome: 'busy'; holder: HolderRecord };

/** What an acquire of several locks comes to: all `granted`, or `busy` with the holder of one. */
export type AcquireSetResult = Granted<AcquireSetAnswer> | { outcome: 'busy'; holder: HolderRecord };

/** The pause between two looks whether all is done, in milliseconds. */
const REST_LOOK = 5;

/**
 * The rules of leases, over a store. Inject it to serve locks by a protocol of your own; to use locks, inject LockClient.
 *
 * Every method throws `InvalidLockRequestError` for a request that breaks a rule, before anything is stored, and
 * `StoreUnavailableError` when the store does not answer: then a request may or may not have taken effect.
 */
export class LockServer {
  readonly #requests: ExclusiveRequests;
  readonly #sharedRequests?: SharedRequests;
  readonly #room: WaitingRoom;
  readonly #knownBusy: KnownBusy;
  readonly #watch: ClockWatch;
  readonly #report: Reporter;
  readonly #stopWatching?: () => void;

  /** What those who wait need. */
  readonly #waitingActs: WaitingActs = {
    acquire: (request, absence) => this.#submit(request, absence).then(asDecision, asFailure),
    giveBack: (granted) => this.giveBack(granted),
    queued: (request, holder) => this.#report.waiting(request, holder),
  };

  readonly #unwanted = new UnwantedLeases((lease) => this.#releaseVersion(lease));

  /** What operators see and do. */
  readonly desk: OperatorDesk;
  /** Milliseconds that a request may queue before the store takes it. */
  readonly queueTimeout: number;
  /** @internal */
  readonly telemetry?: ServerTelemetry;

  constructor(
    /** @internal */
    readonly store: LockStore,
    {
      queueTimeout = 5_000,
      knownBusy = 0,
      maxQueued = 10_000,
      events,
      recorder,
      clock = new StoreClock(),
      telemetry,
    }: LockServerOptions = {},
  ) {
    this.queueTimeout = queueTimeout;
    this.#watch = new ClockWatch(clock, events);
    this.#report = new Reporter(events, recorder, telemetry);
    const tellerOf = statementTellers(telemetry);
    const limits = { maxAge: queueTimeout, maxQueued };
    this.#room = new WaitingRoom(store.queue, queueTimeout, tellerOf);
    this.#requests = new ExclusiveRequests(store, this.#watch, limits, this.#room.server, tellerOf);
    if (store.shared)
      this.#sharedRequests = new SharedRequests(
        store.shared,
        this.#watch,
        limits,
        (lockName, next) => this.#wake(lockName, next),
        tellerOf,
      );
    this.#knownBusy = new KnownBusy(knownBusy);
    this.telemetry = telemetry;
    this.#stopWatching = telemetry?.watch({
      waiters: () => this.#room.waiters,
      queued: () => this.#queued(),
      locksHeld: async () => (await this.desk.countByState()).held,
    });
    this.desk = new OperatorDesk(store, {
      onExpired: (lease) => this.#report.overtaken(lease),
      onForced: (holder, by) => this.#report.forced(holder, by),
      onChanged: (lockName, next) => {
        this.#knownBusy.forget(lockName);
        telemetry?.traces?.freed(lockName);
        this.#wake(lockName, next);
      },
    });
  }

  /**
   * Takes the lock: `granted` with the lease, or `busy` with the holder. Waits for it up to `wait` milliseconds, in the
   * order in which those who wait have come; 0, the default, never waits.
   * @param signal gives the wait up: the acquire rejects with its reason and leaves no lease behind
   */
  async acquire(request: z.input<typeof waitingAcquireSchema>, signal?: AbortSignal): Promise<AcquireResult> {
    return this.acquireChecked(parseRequest(waitingAcquireSchema, request), signal);
  }

  /** @internal For requests that the schema has been applied to. */
  acquireChecked(checked: WaitingAcquireRequest, signal?: AbortSignal): Promise<AcquireResult> {
    return checked.wait === 0 ? this.tryChecked(checked, signal) : this.#acquireWaiting(checked, signal);
  }

  /** @internal Likewise, without waiting; so it is enough that `absence` tells, whenever it is asked, whether the caller has gone. */
  tryChecked(checked: AcquireRequest, absence?: Absence): Promise<AcquireResult> {
    if (absence?.aborted) return Promise.reject(absence.reason as Error);
    const known = this.#knownBusy.holderOf(checked);
    if (known)
      return Promise.resolve(
        this.#settle(checked, { outcome: 'busy', holder: known }, undefined, 0, absence),
      );
    const sentAt = monotonicNow();
    const failing = this.#report.failing(checked, sentAt, absence);
    return this.#submit(checked, absence, sentAt).then((answer) => {
      if (answer.outcome === 'error') failing?.(answer.error);
      const result = askedAt(sentAt, settled(answer));
      if (result.outcome === 'granted') this.#knownBusy.learn(result.lease, sentAt);
      else this.#knownBusy.learn(result.holder);
      return this.#settle(checked, result, sentAt, 0, absence);
    }, failing);
  }

  /** Sends an acquire on the way of its mode. */
  #submit(request: AcquireRequest, absence?: Absence, sentAt?: number): Promise<AcquireAnswer> {
    if (!request.share) return this.#requests.acquires.submit(request, absence, sentAt);
    if (!this.#sharedRequests) return Promise.reject(noSharedLocks(this.store));
    return this.#sharedRequests.acquires.submit(request as SharedRequest, absence, sentAt);
  }

  /** @throws InvalidLockRequestError where the store has none. */
  get #shared(): SharedRequests {
    if (!this.#sharedRequests) throw noSharedLocks(this.store);
    return this.#sharedRequests;
  }

  #acquireWaiting(checked: WaitingAcquireRequest, signal?: AbortSignal): Promise<AcquireResult> {
    const acquire = new WaitingAcquire(checked, signal, this.#waitingActs);
    const began = this.telemetry && monotonicNow();
    return this.#room.wait(checked.lockName, acquire).then(
      (outcome) => {
        const result = outcome.outcome === 'granted' ? askedAt(outcome.sentAt, outcome.granted) : outcome;
        if (result.outcome === 'granted') this.#knownBusy.learn(result.lease, result.sentAt);
        else this.#knownBusy.learn(result.holder);
        if (began !== undefined) this.traces?.awaited(checked.lockName, began);
        return this.#settle(checked, result, began, acquire.waited, signal);
      },
      this.#report.failing(checked, began, signal, acquire),
    );
  }

  /** Takes several locks, all or none: `granted` with the leases in the order of their names, or `busy` with the holder of one. */
  async acquireSet(
    request: z.input<typeof acquireSetSchema>,
    signal?: AbortSignal,
  ): Promise<AcquireSetResult> {
    return this.acquireSetChecked(parseRequest(acquireSetSchema, request), signal);
  }

  /** @internal For requests that the schema has been applied to. */
  async acquireSetChecked(checked: AcquireSetRequest, signal?: AbortSignal): Promise<AcquireSetResult> {
    signal?.throwIfAborted();
    if (checked.shares.size > 0 && !this.#sharedRequests) throw noSharedLocks(this.store);
    const waiting = new Stopwatch();
    const began = this.telemetry && monotonicNow();
    const tell = (outcome: AcquireOutcome) =>
      this.#report.ended(
        { lockName: checked.lockNames[0]! },
        signal?.aborted ? 'abandoned' : outcome,
        began,
        waiting.elapsed,
      );
    let result: AcquireSetResult;
    try {
      result = await this.#acquireSet(checked, waiting, signal);
    } catch (error) {
      tell('error');
      throw error;
    }
    tell(result.outcome);
    if (began !== undefined) for (const lockName of checked.lockNames) this.traces?.awaited(lockName, began);
    if (result.outcome === 'granted') {
      if (signal?.aborted) {
        this.#giveSetBack(result);
        throw signal.reason;
      }
      if (!result.repeated) {
        for (const lease of result.expired) this.#report.expired(lease);
        for (const lease of result.leases) this.#report.acquired(lease, waiting.elapsed);
      }
    } else this.#report.refused({ ...checked, lockName: result.holder.lockName }, result.holder);
    return result;
  }

  /** Gives a live lease a new TTL from now, which never shortens it. `lost`: there is no such live lease. */
  async renew(request: z.input<typeof renewRequestSchema>): Promise<Settled<RenewAnswer>> {
    return this.renewChecked(parseRequest(renewRequestSchema, request));
  }

  /** @internal For requests that the schema has been applied to. */
  renewChecked(checked: RenewRequest): Promise<Settled<RenewAnswer>> {
    if (checked.isShared) return this.#renewShared(checked);
    return this.#requests.renewals.submit(checked).then((pending) => {
      const answer = settled(pending);
      if (answer.outcome === 'lost' && this.#sharedRequests) {
        // Without the token: a downgrade under way has given it a new one, which its holder has not heard of.
        const { lockName, grantId, ttl } = checked;
        return this.#renewShared({ lockName, grantId, ttl });
      }
      return this.#renewed(checked, answer);
    });
  }

  /** Who doesn't say that its lease is in shared mode asks once more. */
  async #renewShared(checked: RenewRequest): Promise<Settled<RenewAnswer>> {
    return this.#renewed(checked, settled(await this.#shared.renewals.submit(checked)));
  }

  /** Tells of it. */
  #renewed(checked: RenewRequest, answer: Settled<RenewAnswer>): Settled<RenewAnswer> {
    const { lockName, grantId } = checked;
    if (answer.outcome === 'renewed') {
      this.#report.renewed(answer.lease);
    } else this.#report.lost(lockName, grantId);
    this.telemetry?.renewed(lockName, answer.outcome);
    return answer;
  }

  /**
   * Turns a live exclusive lease into a shared one, in one step: nobody has the lock in between. It keeps its grantId and its end, and gets a
   * new fencing token. Repeating it is harmless. `lost`: there is no such live lease.
   */
  async downgrade(request: z.input<typeof downgradeRequestSchema>): Promise<Settled<DowngradeAnswer>> {
    return this.downgradeChecked(parseRequest(downgradeRequestSchema, request));
  }

  /** @internal For requests that the schema has been applied to. */
  async downgradeChecked(checked: DowngradeRequest): Promise<Settled<DowngradeAnswer>> {
    const { lockName, grantId } = checked;
    const answer = settled(await this.#shared.downgrades.submit(checked));
    this.#knownBusy.forget(lockName);
    if (answer.outcome === 'lost') this.#report.lost(lockName, grantId);
    else if (!answer.repeated) {
      this.#report.downgraded(answer.lease);
      this.traces?.freed(lockName);
      this.#wake(lockName, answer.next);
    }
    return answer;
  }

  /**
   * Ends a live lease; with `minHold`, its lock stays taken until so many milliseconds after the start of the lease. `lost`: there
   * is no such live lease; nobody else's is touched. Who waits for the lock gets it.
   */
  async release(request: z.input<typeof releaseRequestSchema>): Promise<{ outcome: 'released' | 'lost' }> {
    return this.releaseChecked(parseRequest(releaseRequestSchema, request));
  }

  /** @internal For requests that the schema has been applied to. */
  releaseChecked(checked: ReleaseRequest): Promise<{ outcome: 'released' | 'lost' }> {
    const { lockName } = checked;
    this.#knownBusy.forget(lockName);
    if (checked.isShared && 'grantId' in checked) return this.#releaseShared(checked);
    const line = this.#room.line(lockName);
    const canPass = this.store.queue && 'grantId' in checked && !checked.minHold;
    const successor = canPass ? line?.takeSuccessor() : undefined;
    if (line && successor && 'grantId' in checked)
      return this.#pass(line, checked.grantId, successor).then((outcome) =>
        this.#endedOrShared(checked, outcome),
      );
    return this.#requests.releases
      .submit(checked)
      .then((answer) => this.#endedOrShared(checked, this.#released(lockName, answer)));
  }

  /** Who doesn't say that its lease is in shared mode asks once more. */
  #endedOrShared(
    request: ReleaseRequest,
    outcome: 'released' | 'lost',
  ): { outcome: 'released' | 'lost' } | Promise<{ outcome: 'released' | 'lost' }> {
    const mayBeShared = outcome === 'lost' && this.#sharedRequests && 'grantId' in request;
    return mayBeShared ? this.#releaseShared(request) : this.#ended(request, outcome);
  }

  async #releaseShared(request: ReleaseByGrant): Promise<{ outcome: 'released' | 'lost' }> {
    const ended = settled(await this.#shared.releases.submit(request));
    // Of many who release together, one is told who is next: to look for each of them would find nothing.
    if (ended.outcome === 'released' && (ended.next || !this.store.queue)) {
      this.traces?.freed(request.lockName);
      this.#wake(request.lockName, ended.next);
    }
    return this.#ended(request, ended.outcome);
  }

  /** The lock as it is now, with those who wait for it; null when the store knows no such name. */
  async inspect(lockName: string): Promise<InspectedLock | null> {
    const [record] = await this.store.inspect([parseRequest(lockNameSchema, lockName, 'lockName')]);
    return record!;
  }

  /** Removes locks that nobody has used for so many milliseconds (at least a minute) and returns how many. */
  async removeIdle(retention: number): Promise<number> {
    if (!(retention >= MIN_IDLE))
      throw new InvalidLockRequestError([
        { field: 'retention', rule: `must be at least ${MIN_IDLE} milliseconds` },
      ]);
    return this.store.removeIdle(retention);
  }

  /** Resolves when the store answers. */
  ping(): Promise<void> {
    return this.store.ping();
  }

  /** @internal Who tells, in spans, of those who call by HTTP. */
  get traces(): ServerTraces | undefined {
    return this.telemetry?.traces;
  }

  /** What runs worse than it should while locks still work, such as the gate without its Redis; empty when all is well. */
  get degraded(): readonly string[] {
    return [...(this.store.degraded ?? []), ...this.#watch.degraded];
  }

  /** Lets nobody wait any longer: each waiting acquire rejects with `ClientClosedError`. The application's shutdown calls it. */
  stopWaiting(): void {
    this.#room.close(new ClientClosedError());
    this.#stopWatching?.();
  }

  /**
   * @internal Resolves when nothing is on its way to the store any more, or back: what was granted to those who have gone is given back
   * then. At the latest after the time that a request may queue.
   */
  async rest(): Promise<void> {
    const end = monotonicNow() + this.queueTimeout;
    const ways = [this.#unwanted, this.#requests, this.#sharedRequests];
    while (ways.some((way) => way?.isBusy) && monotonicNow() < end) await sleep(REST_LOOK);
  }

  /** Tells of the result, which nobody may be there to hear any more. */
  #settle(
    request: AcquireRequest,
    result: AcquireResult,
    began: number | undefined,
    waited: number,
    absence: Absence | undefined,
  ): AcquireResult {
    if (result.outcome === 'granted') {
      if (absence?.aborted) {
        this.giveBack(result);
        this.#report.ended(request, 'abandoned', began, waited);
        throw absence.reason;
      }
      this.#report.granted(result, waited);
    } else this.#report.refused(request, result.holder);
    this.#report.ended(request, result.outcome, began, waited);
    return result;
  }

  async #acquireSet(
    { wait, lockNames, shares, ...common }: AcquireSetRequest,
    waiting: Stopwatch,
    signal?: AbortSignal,
  ): Promise<AcquireSetResult> {
    const attempt = (waitingFor?: string, ticket?: number | null) =>
      this.#requests.sets
        .submit(
          lockNames.map((lockName) => ({
            ...common,
            lockName,
            ticket: lockName === waitingFor ? ticket : null,
            ...(shares.size > 0 && { share: shares.get(lockName) }),
          })),
        )
        .catch(asFailure);
    const sentAt = monotonicNow();
    const first = settled(await attempt());
    if (first.outcome === 'granted') return { ...first, sentAt };
    const patience = wait - (monotonicNow() - sentAt);
    if (patience <= 0) return first;
    const outcome = await this.#room.lineUp<Extract<AcquireSetAnswer, { outcome: 'granted' }>>(
      first.holder.lockName,
      {
        ...common,
        wait: patience,
        signal,
        attempt: async (ticket, lockName) => {
          const answer = await attempt(lockName, ticket);
          if (answer.outcome !== 'granted') return answer;
          const lease = answer.leases.find((one) => one.lockName === lockName)!;
          return { outcome: 'granted', granted: answer, lease };
        },
        giveBack: (granted) => this.#giveSetBack(granted),
        shareOf: (lockName) => shares.get(lockName),
        onQueued: (holder) => {
          waiting.start();
          this.#report.waiting({ ...common, lockName: holder.lockName }, holder);
        },
      },
    );
    return outcome.outcome === 'granted' ? { ...outcome.granted, sentAt: outcome.sentAt } : outcome;
  }

  /** Wakes who waits for the lock. */
  #released(lockName: string, answer: ReleaseAnswer): 'released' | 'lost' {
    const ended = settled(answer);
    if (ended.outcome === 'released') {
      this.traces?.freed(lockName);
      this.#wake(lockName, ended.next);
    }
    return ended.outcome;
  }

  /** Tells what became of the lease. */
  #ended(request: ReleaseRequest, outcome: 'released' | 'lost'): { outcome: 'released' | 'lost' } {
    const { lockName } = request;
    this.#knownBusy.forget(lockName);
    if (outcome === 'released') {
      this.#report.released(request);
    } else if ('grantId' in request) this.#report.lost(lockName, request.grantId);
    return { outcome };
  }

  /** Ends the lease and hands the lock to the first who waits here, in one step. */
  async #pass(line: WaitingLine, grantId: string, successor: QueuedAcquire): Promise<'released' | 'lost'> {
    const { lockName } = line;
    const { ticket, options } = successor;
    const succession = options.succession!;
    const sentAt = monotonicNow();
    const answer = await this.#requests.passes
      .submit({
        lockName,
        grantId,
        successor: { ...succession.request, ticket },
      })
      .catch(asFailure);
    switch (answer.outcome) {
      case 'passed':
        this.traces?.freed(lockName);
        line.granted(successor, ticket);
        successor.grant(succession.accept(answer.lease), sentAt);
        line.passed({ holder: answer.lease });
        return 'released';
      case 'released':
        this.traces?.freed(lockName);
        line.passed('others');
        this.#wake(lockName, answer.next);
        return 'released';
      case 'lost':
        line.passed('free');
        return 'lost';
      case 'error':
        line.passed('free');
        throw answer.error;
    }
  }

  *#queued(): Iterable<[StatementKind, number]> {
    yield* this.#requests.queued();
    if (this.#sharedRequests) yield* this.#sharedRequests.queued();
    yield* this.#room.queued();
  }

  #wake(lockName: string, next: NextInLine | null): void {
    if (next) this.#room.wake({ server: next.server, lockName }, next.isNotified);
    else this.#room.free(lockName);
  }

  /**
   * @internal A grant that nobody waits for any more goes on to the next. One that its caller had before stays the caller's, and so does one
   * that the caller has repeated or renewed since, on whatever server: that makes it another version.
   */
  giveBack({ lease, repeated }: { lease: LeaseRecord; repeated: boolean }): void {
    if (!repeated) void this.#unwanted.giveBack(lease);
  }

  #giveSetBack({ leases, repeated }: { leases: readonly LeaseRecord[]; repeated: boolean }): void {
    for (const lease of leases) this.giveBack({ lease, repeated });
  }

  async #releaseVersion({ lockName, grantId, version, share }: LeaseRecord): Promise<void> {
    const { releases } = share ? this.#shared : this.#requests;
    this.#released(lockName, await releases.submit({ lockName, grantId, version }));
  }
}

/** The answer, with the time at which it was asked for. */
function askedAt(sentAt: number, answer: Settled<AcquireAnswer>): AcquireResult {
  if (answer.outcome === 'busy') return answer;
  const { lease, repeated, expired, alsoExpired } = answer;
  return { outcome: 'granted', lease, repeated, expired, alsoExpired, sentAt };
}

sharedClasses({ LockServer });

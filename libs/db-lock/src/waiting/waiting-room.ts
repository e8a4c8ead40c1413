import { Logger } from '@nestjs/common';
import { monotonicNow } from '../lease/clock.js';
import { StoreUnavailableError } from '../lease/errors.js';
import { Timer } from '../lease/timer.js';
import { randomUUID } from 'node:crypto';
import { Coalescer } from '../store/coalescer.js';
import type { QueuePlace, Waiter, WaitQueue, WakeUp, WakeUpMode } from '../store/wait-queue.js';
import type { StatementTellers } from '../telemetry/statements.js';
import type { StatementKind, Waiters } from '../telemetry/telemetry.js';
import { LookOut, type LookOutKeeper } from './look-out.js';
import { FirstTry, type TryKeeper } from './first-try.js';
import { QueuedAcquire, type QueuedAcquireOptions, type WaitOutcome } from './queued-acquire.js';
import { rollCall, type Standing } from './roll-call.js';
import { WaitingLine, type LineKeeper } from './waiting-line.js';

/** The longest pause between two looks at a busy lock, in milliseconds, by the way in which waiters are woken. */
const HEARTBEAT: Record<WakeUpMode, number> = { notify: 1_000, poll: 250 };

/** How often the server says that its waiters are alive, in milliseconds: three times in `ALIVE`. */
const STAY_INTERVAL = 1_500;

/** The most waiters that one statement lines up. */
const MAX_BATCH = 1_000;

const MODES: Record<WakeUpMode, string> = {
  notify: 'Waiters are woken by notifications of the database.',
  poll: `Waiters look every ${HEARTBEAT.poll} ms: notifications of the database do not arrive.`,
};

const LOOKED_OUT =
  'One look after the other tells which locks came free: this database has no notifications.';

/** All who wait on one server, in a line for each lock; those lines meet with other servers' in the store's queues. */
export class WaitingRoom implements LineKeeper, TryKeeper {
  /** Names this server in the queues of its locks. */
  readonly server = randomUUID();
  readonly #lines = new Map<string, WaitingLine>();
  /** The tries of those who came where nobody stood in line. */
  readonly #tries = new Map<string, FirstTry>();
  /** Those whose place in the queue is asked for just now. */
  readonly #joining = new Set<QueuedAcquire>();
  readonly #logger = new Logger('DbLock');
  readonly #joins: Coalescer<Waiter, number>;
  readonly #leaves: Coalescer<QueuePlace, undefined>;
  readonly #wakeUps: Coalescer<WakeUp, undefined>;
  /** Those who were missing from the queue at the last `stay`. */
  #missed = new Set<QueuedAcquire>();
  #mode: WakeUpMode = 'poll';
  #listening = false;
  /** Set while somebody waits here, or has left something behind. */
  readonly #stay = new Timer(() => void this.#stayNow());
  /** Where the store can tell at one look which locks came free, and does not notify. */
  readonly #lookOut?: LookOut;
  #closed?: Error;

  /** @param queue where waiters of several servers meet; without one, each server's look from time to time */
  constructor(
    private readonly queue: WaitQueue | undefined,
    queueTimeout: number,
    tellerOf: StatementTellers = () => undefined,
  ) {
    const coalesce = <Request, Answer>(
      onAnswered: ReturnType<StatementTellers>,
      answer: (batch: readonly Request[]) => Promise<readonly Answer[]>,
    ) => new Coalescer({ answer, maxBatch: MAX_BATCH, maxAge: queueTimeout, onAnswered });
    this.#joins = coalesce(tellerOf('join_queue'), (batch) => queue!.join(this.server, batch));
    this.#leaves = coalesce(tellerOf('leave_queue'), async (batch) => {
      await queue!.leave(batch);
      return batch.map(() => undefined);
    });
    this.#wakeUps = coalesce(tellerOf('wake'), async (batch) => {
      await queue!.wake(batch);
      return batch.map(() => undefined);
    });
    if (queue?.freed) this.#lookOut = new LookOut(this.#lookOutKeeper(queue as Required<WaitQueue>));
  }

  get heartbeat(): number {
    return HEARTBEAT[this.#lookOut ? 'notify' : this.#mode];
  }

  /**
   * Waits until the lock is granted, or the time is over: in the lock's line, where there is one or a try of the caller's own is refused.
   * Rejects with the signal's reason.
   */
  wait<Granted>(lockName: string, options: QueuedAcquireOptions<Granted>): Promise<WaitOutcome<Granted>> {
    if (this.#lines.has(lockName) || this.#tries.has(lockName)) return this.lineUp(lockName, options);
    const obstacle = this.#obstacle(options);
    if (obstacle) return Promise.reject(obstacle);
    const first = new FirstTry(lockName, options, this);
    this.#tries.set(lockName, first as FirstTry);
    return first.result;
  }

  /** Waits in the lock's line, in any case. */
  async lineUp<Granted>(
    lockName: string,
    options: QueuedAcquireOptions<Granted>,
  ): Promise<WaitOutcome<Granted>> {
    const obstacle = this.#obstacle(options);
    if (obstacle) throw obstacle;
    const waiter = new QueuedAcquire(options);
    this.move(waiter as QueuedAcquire, lockName);
    return waiter.result;
  }

  /** Why somebody can't even begin to wait. */
  #obstacle({ signal, wait }: { signal?: AbortSignal; wait: number }): Error | undefined {
    if (this.#closed) return this.#closed;
    if (signal?.aborted) return signal.reason as Error;
    return wait > 0
      ? undefined
      : new StoreUnavailableError('The time was over before the lock store could be asked.');
  }

  /** Those who stand in line, for whatever lock. */
  get waiters(): Waiters {
    const now = monotonicNow();
    let count = 0;
    let oldest = 0;
    for (const { waiters } of this.#lines.values())
      for (const { since } of waiters) {
        count++;
        oldest = Math.max(oldest, now - since);
      }
    return { count, oldest };
  }

  /** How many requests of each kind queue for the store. */
  *queued(): Iterable<[StatementKind, number]> {
    yield ['join_queue', this.#joins.queued];
    yield ['leave_queue', this.#leaves.queued];
    yield ['wake', this.#wakeUps.queued];
  }

  line(lockName: string): WaitingLine | undefined {
    return this.#lines.get(lockName);
  }

  /** The lock came free: the first in its queue is told, on whatever server it waits, unless the store has notified that one. */
  wake({ server, lockName }: WakeUp, isNotified = false): void {
    this.#hear({ server, lockName });
    if (server === this.server || isNotified || !this.queue) return;
    this.#wakeUps.submit({ server, lockName }).catch((error: unknown) => this.#fallBack(error));
  }

  /** Lets nobody wait any longer. */
  close(reason: Error): void {
    this.#closed = reason;
    this.#lookOut?.stop();
    this.#rest();
    for (const first of this.#tries.values()) first.abort(reason);
    for (const line of this.#lines.values()) for (const waiter of line.waiters) waiter.fail(reason);
  }

  async enqueue(lockName: string, waiters: readonly QueuedAcquire[]): Promise<void> {
    if (!this.queue || this.#closed || waiters.length === 0) return;
    this.#listen(this.queue);
    await Promise.all(waiters.map((acquire) => this.#join(lockName, acquire)));
  }

  left(lockName: string, waiter: QueuedAcquire): void {
    const { ticket, options } = waiter;
    waiter.ticket = null;
    if (ticket !== null) this.#leave({ lockName, ticket, grantId: options.grantId });
  }

  move(waiter: QueuedAcquire, lockName: string): void {
    if (waiter.isWaiting) this.#lineOf(lockName).join(waiter);
  }

  emptied(line: WaitingLine): void {
    if (this.#lines.get(line.lockName) === line) this.#lines.delete(line.lockName);
  }

  newLine(lockName: string): WaitingLine {
    const line = new WaitingLine(lockName, this);
    this.#lines.set(lockName, line);
    return line;
  }

  tried(first: FirstTry): void {
    this.#tries.delete(first.lockName);
  }

  #lineOf(lockName: string): WaitingLine {
    return this.#lines.get(lockName) ?? this.#tries.get(lockName)?.lineUp() ?? this.newLine(lockName);
  }

  async #join(lockName: string, acquire: QueuedAcquire): Promise<void> {
    const { line, ticket } = acquire;
    const { workerName, grantId } = acquire.options;
    const share = acquire.options.share ?? acquire.options.shareOf?.(lockName);
    this.#joining.add(acquire);
    try {
      const place = await this.#joins.submit({ lockName, workerName, grantId, ticket, share });
      if (acquire.isWaiting && acquire.line === line) acquire.ticket = place;
      else this.#leave({ lockName, ticket: place, grantId });
    } catch (error) {
      this.#fallBack(error);
    } finally {
      this.#joining.delete(acquire);
    }
  }

  #leave(place: QueuePlace): void {
    this.#leaves.submit(place).catch((error: unknown) => this.#fallBack(error));
  }

  /** What the queue loses costs the next look, and is mended by the next `stay`. */
  #fallBack(error: unknown): void {
    if (!this.#closed) this.#logger.debug(`The queue of waiters did not answer: ${String(error)}`);
  }

  #listen(queue: WaitQueue): void {
    if (!this.#stay.isSet) this.#stayLater();
    this.#lookOut?.begin();
    if (this.#listening) return;
    this.#listening = true;
    queue.listen({
      server: this.server,
      onWakeUp: (wakeUp) => this.#hear(wakeUp),
      onMode: (mode) => {
        this.#mode = mode;
        this.#logger.log(this.#lookOut ? LOOKED_OUT : MODES[mode]);
      },
    });
  }

  #stayLater(): void {
    this.#stay.set(monotonicNow() + STAY_INTERVAL);
  }

  #rest(): void {
    this.#stay.stop();
  }

  /** The lock came free, for whoever waits here. */
  free(lockName: string): void {
    const waiting = this.#lines.get(lockName) ?? this.#tries.get(lockName);
    waiting?.wake();
  }

  #hear({ server, lockName }: WakeUp): void {
    if (server === this.server) this.free(lockName);
    else this.#lines.get(lockName)?.letOthersFirst();
  }

  #lookOutKeeper(queue: Required<WaitQueue>): LookOutKeeper {
    const lines = this.#lines;
    return {
      get isNeeded() {
        return lines.size > 0;
      },
      lockNames: () => [...lines.values()].filter((line) => line.isWatching).map(({ lockName }) => lockName),
      look: (lockNames) => queue.freed(this.server, lockNames),
      free: (lockName) => lines.get(lockName)?.wake(),
      failed: (error) => this.#fallBack(error),
    };
  }

  /** Those who wait for locks that are known to be busy: they should stand in a queue. */
  *#standing(): Iterable<Standing> {
    for (const { lockName, holder, waiters } of this.#lines.values())
      if (holder) for (const waiter of waiters) yield [lockName, waiter];
  }

  /** Says that all who wait here are alive, and puts right who is missing from the queue, or left behind in it. */
  async #stayNow(): Promise<void> {
    this.#stayLater();
    try {
      const places = await this.queue!.stay(this.server);
      const { missing, leftBehind } = rollCall(places, this.#standing());
      for (const place of leftBehind) this.#leave(place);
      const missed = new Set<QueuedAcquire>();
      for (const [lockName, waiter] of missing) {
        // Once may be because a grant is just taking it out.
        if (this.#missed.has(waiter) && !this.#joining.has(waiter)) void this.#join(lockName, waiter);
        else missed.add(waiter);
      }
      this.#missed = missed;
      // Not before nothing is left: who was granted the lock before it heard of its place has left that behind.
      if (this.#lines.size === 0 && places.length === 0) this.#rest();
    } catch (error) {
      this.#fallBack(error);
    }
  }
}

import { monotonicNow } from '../lease/clock.js';
import { StoreUnavailableError } from '../lease/errors.js';
import { Timer } from '../lease/timer.js';
import type { HolderRecord, LeaseRecord } from '../store/lock-store.js';
import { TURN } from '../store/wait-queue.js';
import { fits } from '../store/sharing.js';
import { Arrivals } from './arrivals.js';
import type { Decision, Line, QueuedAcquire } from './queued-acquire.js';

/** The pause before the first look of one who waits, in milliseconds; each next one is twice as long. */
const FIRST_LOOK = 20;

/**
 * After a lock went to another server as soon as it had come here, so many releases don't try to pass it on here: a release that must
 * not find a successor need not wait for a durable commit. Where several had it here one after the other, that is likely to be so again.
 */
const OTHERS_FIRST = 4;

/** The most of those who would share a lock that the store is asked to let in together. */
const MAX_RUN = 1_000;

/** What the store was asked for. */
interface Attempt {
  decision: Promise<Decision<unknown>>;
  /** On this process's monotonic clock. */
  sentAt: number;
}

/** What a line needs of the room that it is in. */
export interface LineKeeper {
  /** The longest pause between two looks, in milliseconds. */
  readonly heartbeat: number;
  /** Gives those who wait a place in the lock's queue. Resolves, whether or not that could be done. */
  enqueue(lockName: string, waiters: readonly QueuedAcquire[]): Promise<void>;
  /** It waits no longer in this line; where it has a place in the lock's queue, it leaves that, too. */
  left(lockName: string, waiter: QueuedAcquire): void;
  /** It waits for another lock now. */
  move(waiter: QueuedAcquire, lockName: string): void;
  /** Nobody is left in it. */
  emptied(line: WaitingLine): void;
}

/**
 * Those who wait, on this server, for one lock: first come, first served. Only the first contends at the store, and with it those behind it
 * who may share the lock with it; it looks again when it is woken, when the holder's lease should end, and from time to time.
 */
export class WaitingLine implements Line {
  readonly #waiters = new Arrivals<QueuedAcquire>();
  /** Those who have not been given a place in the lock's queue. */
  readonly #placeless = new Set<QueuedAcquire>();
  failure: Error | undefined;
  #holder?: HolderRecord;
  #heldAt = 0;
  #contending = false;
  #again = false;
  #othersFirst = 0;
  /** How many have got the lock here since it was somewhere else. */
  #inARow = 0;
  #pause = FIRST_LOOK;
  readonly #timer = new Timer(() => void this.#contend());

  constructor(
    readonly lockName: string,
    private readonly keeper: LineKeeper,
  ) {}

  get holder(): HolderRecord | undefined {
    const holder = this.#holder;
    if (!holder) return undefined;
    return { ...holder, timeLeft: Math.max(0, holder.timeLeft - Math.floor(monotonicNow() - this.#heldAt)) };
  }

  /** The lock is known to be busy, and the store is not being asked for it. */
  get isWatching(): boolean {
    return this.#holder !== undefined && !this.#contending && this.size > 0;
  }

  get waiters(): Iterable<QueuedAcquire> {
    return this.#waiters;
  }

  get size(): number {
    return this.#waiters.size;
  }

  join(waiter: QueuedAcquire): void {
    this.#place(waiter);
    if (this.#holder || this.failure) {
      waiter.heard(); // who comes from another line may have no time left
      if (!waiter.isWaiting) return;
    }
    if (this.#holder) void this.#enqueue();
    if (this.#waiters.size === 1) this.wake();
  }

  /** Begins with one whose try is under way. */
  beginWithin(first: QueuedAcquire, decision: Promise<Decision<unknown>>, sentAt: number): void {
    this.#place(first);
    void this.#contend({ decision, sentAt });
  }

  /** Begins with one whose try was refused. @param isStale the lock has come free meanwhile */
  beginRefused(first: QueuedAcquire, holder: HolderRecord, isStale: boolean): void {
    this.#place(first);
    if (isStale) this.wake();
    else this.#refused(holder);
  }

  /** Begins with one whose try the store did not answer. */
  beginFailed(first: QueuedAcquire, failure: Error): void {
    this.#place(first);
    this.failure = failure;
    this.#lookLater();
  }

  #place(waiter: QueuedAcquire): void {
    waiter.line = this;
    this.#waiters.add(waiter);
    this.#placeless.add(waiter);
  }

  leave(waiter: QueuedAcquire): void {
    const { first } = this.#waiters;
    if (!this.#waiters.delete(waiter)) return;
    this.#placeless.delete(waiter);
    waiter.line = undefined;
    this.keeper.left(this.lockName, waiter);
    if (this.#contending) return;
    if (this.size === 0) this.#close();
    else if (waiter === first) this.#letNextIn();
  }

  /** The lock may be free: looks at once, or again when a look is on its way. */
  wake(): void {
    this.#pause = FIRST_LOOK;
    if (this.#contending) this.#again = true;
    else void this.#contend();
  }

  /** The lock came free for somebody on another server: looks when that one's turn is over. */
  letOthersFirst(): void {
    if (this.#inARow > 0) this.#othersFirst = this.#inARow > 1 ? 0 : OTHERS_FIRST;
    this.#inARow = 0;
    this.#pause = FIRST_LOOK;
    if (!this.#contending) this.#lookIn(TURN + jittered(TURN / 4));
  }

  /**
   * The first, when the lock can be passed on to it: not while it contends itself, nor when it needs other locks, too,
   * nor when others elsewhere are likely to have waited longer. Until `passed` is called, nobody contends.
   */
  takeSuccessor(): QueuedAcquire | undefined {
    const head = this.#waiters.first;
    if (this.#contending || !head?.options.succession) return undefined;
    if (this.#othersFirst > 0) {
      this.#othersFirst--;
      return undefined;
    }
    this.#contending = true;
    this.#timer.stop();
    return head;
  }

  /**
   * What became of the lock that was to be passed on: held by the successor, whose lease the others wait for; free; or
   * free for others, who have waited longer.
   */
  passed(outcome: { holder: HolderRecord } | 'free' | 'others'): void {
    this.#contending = false;
    if (this.size === 0) this.#close();
    else if (outcome === 'free' || this.#again) this.wake();
    else if (outcome === 'others') this.letOthersFirst();
    else void this.#heldBy(outcome.holder);
  }

  /** @param begun the first one's attempt, which is under way */
  async #contend(begun?: Attempt): Promise<void> {
    this.#contending = true;
    this.#timer.stop();
    try {
      do {
        this.#again = false;
        await this.#attempt(begun);
        begun = undefined;
      } while (this.#again && this.size > 0);
    } finally {
      this.#contending = false;
    }
    if (this.size === 0) this.#close();
    else this.#lookLater();
  }

  /** Lets the first ask the store, or all who may have the lock together. */
  async #attempt(begun?: Attempt): Promise<void> {
    const head = this.#waiters.first;
    if (!head) return;
    const isFirstAnswer = !this.#holder && !this.failure;
    if (head.options.share && !begun) await this.#attemptRun();
    else await this.#attemptOne(head, begun);
    if (isFirstAnswer) for (const waiter of this.#waiters) waiter.heard();
  }

  async #attemptOne(head: QueuedAcquire, begun?: Attempt): Promise<void> {
    const { ticket } = head;
    const { sentAt, decision: pending } = begun ?? {
      sentAt: monotonicNow(),
      decision: head.options.attempt(ticket, this.lockName),
    };
    const decision = await pending;
    this.failure = undefined;
    switch (decision.outcome) {
      case 'granted':
        this.granted(head, ticket);
        head.grant(decision.granted, sentAt);
        if (this.size > 0) void this.#heldBy(decision.lease);
        if (head.options.share) this.#again ||= this.#run(head.options.share.permits).length > 0;
        break;
      case 'busy':
        if (decision.holder.lockName === this.lockName) this.#refused(decision.holder);
        else this.#movesOn(head, decision.holder);
        if (!head.isWaiting) this.#letNextIn();
        break;
      case 'error':
        this.failure = decision.error;
        if (!(decision.error instanceof StoreUnavailableError)) head.fail(decision.error);
    }
  }

  /** Asks for all who may have the lock together. The store decides them in their order, by one decision. */
  async #attemptRun(): Promise<void> {
    const sentAt = monotonicNow();
    const run = this.#run();
    const tickets = run.map(({ ticket }) => ticket);
    const decisions = await Promise.all(
      run.map(({ options }, index) => options.attempt(tickets[index], this.lockName)),
    );
    this.failure = undefined;
    let taken = 0;
    let lease: LeaseRecord | undefined;
    let refusal: HolderRecord | undefined;
    for (const [index, decision] of decisions.entries()) {
      const waiter = run[index]!;
      switch (decision.outcome) {
        case 'granted':
          taken += waiter.options.share!.permits;
          ({ lease } = decision);
          this.granted(waiter, tickets[index]!);
          waiter.grant(decision.granted, sentAt);
          break;
        case 'busy':
          refusal ??= decision.holder;
          if (!waiter.isWaiting) this.#letNextIn();
          break;
        case 'error':
          this.failure = decision.error;
          if (!(decision.error instanceof StoreUnavailableError)) waiter.fail(decision.error);
      }
    }
    if (this.size === 0) return;
    if (refusal) this.#refused(refusal);
    else if (lease) {
      void this.#heldBy(lease);
      this.#again ||= this.#run(taken).length > 0;
    }
  }

  /** One that stood in the way of others has given up: who is first now may find room where that one found none. */
  #letNextIn(): void {
    if (this.#waiters.first?.options.share) this.wake();
  }

  /**
   * The first of those who wait, and all behind it who may share the lock with those before them, by what each of them asks for.
   * @param taken permits that are known to be taken
   */
  #run(taken = 0): QueuedAcquire[] {
    const run: QueuedAcquire[] = [];
    for (const waiter of this.#waiters) {
      const { share } = waiter.options;
      if (!share || !fits(share, taken) || run.length === MAX_RUN) break;
      taken += share.permits;
      run.push(waiter);
    }
    return run;
  }

  /** One of the line has got the lock. The store has taken the place that was named out of the lock's queue, with the grant. */
  granted(waiter: QueuedAcquire, ticket: number | null): void {
    this.#inARow++;
    if (ticket !== null && waiter.ticket === ticket) waiter.ticket = null;
  }

  #refused(holder: HolderRecord): void {
    const hadNoPlace = this.#waiters.first?.ticket === null;
    const enqueued = this.#heldBy(holder);
    // A release that came before it stood in the queue has woken nobody: look once more, as soon as it stands there.
    if (hadNoPlace) void enqueued.then(() => typeof this.#waiters.first?.ticket === 'number' && this.wake());
  }

  /** One that needs several locks has found another one busy. */
  #movesOn(head: QueuedAcquire, { lockName }: HolderRecord): void {
    this.#again = true;
    if (!head.isWaiting) return;
    this.leave(head);
    this.keeper.move(head, lockName);
  }

  /** Resolves when all stand in the queue. */
  #heldBy(holder: HolderRecord): Promise<void> {
    this.#holder = holder;
    this.#heldAt = monotonicNow();
    const enqueued = this.#enqueue();
    this.#lookLater();
    return enqueued;
  }

  /** Those who wait for a lock that is known to be busy stand in its queue, where all servers see them. */
  #enqueue(): Promise<void> {
    const placeless = [...this.#placeless];
    this.#placeless.clear();
    for (const { options } of placeless) options.onQueued?.(this.#holder!);
    return this.keeper.enqueue(this.lockName, placeless);
  }

  #lookLater(): void {
    if (this.#contending) return;
    const untilFree = (this.holder?.timeLeft ?? Infinity) + 1 + Math.random() * 10;
    this.#lookIn(Math.min(jittered(this.#pause), untilFree));
    this.#pause = Math.min(this.#pause * 2, this.keeper.heartbeat);
  }

  #lookIn(milliseconds: number): void {
    this.#timer.set(monotonicNow() + milliseconds);
  }

  #close(): void {
    this.#timer.stop();
    this.keeper.emptied(this);
  }
}

/** Many who lost together must not come back together. */
function jittered(milliseconds: number): number {
  return milliseconds * (0.75 + Math.random() / 2);
}

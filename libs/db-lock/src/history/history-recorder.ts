import { Logger } from '@nestjs/common';
import { monotonicNow } from '../lease/clock.js';
import { modeDetails } from '../lease/modes.js';
import { inTime } from '../lease/in-time.js';
import { Timer } from '../lease/timer.js';
import type { AcquireRequest, ReleaseRequest } from '../lease/requests.js';
import type { HistoryEntry, HistoryStore } from '../store/history-store.js';
import type { ExpiredLease, HolderRecord, LeaseRecord } from '../store/lock-store.js';
import { GrantBook, type KnownGrant } from './grant-book.js';
import type { HistorySettings } from './options.js';
import type { StoreClock } from '../lease/store-clock.js';
import type { ServerTelemetry } from '../telemetry/telemetry.js';
import { TallySheet } from './tally-sheet.js';

/** How often what happened is written, in milliseconds, where that takes no longer. */
const FLUSH_INTERVAL = 1_000;

/** How often counts are written, in milliseconds. */
const COUNT_INTERVAL = 10_000;

/** How often the history is trimmed, in milliseconds. */
const TRIM_INTERVAL = 60_000;

/**
 * The most events of one flush. Beyond it they are counted only: a history of tens of thousands of grants a second would
 * cost the database more than the grants. What is rare and tells of trouble has room of its own.
 */
const MAX_EVENTS = 1_000;
const MAX_TROUBLE = 1_000;

/** At least so many leases are remembered, to tell whose it was that ended, and how long it lasted; who releases one twice has lost nothing. */
const LEASES = 10_000;

/** A warning that writing fails comes no more often than that, in milliseconds. */
const WARNING_INTERVAL = 60_000;

/** How long the end of the application waits for what is left to be written, in milliseconds. */
const CLOSE_PATIENCE = 5_000;

type Event = Omit<HistoryEntry, 'age' | 'time'> & { at: number };

/**
 * Writes down what happens to locks as this server sees it, in batches, beside the requests' way: nobody waits for it, and
 * what it can't write is lost. Acts of operators are none of its business: the store records them with the acts.
 */
export class HistoryRecorder {
  readonly #logger = new Logger('DbLock');
  readonly #leases = new GrantBook(LEASES);
  readonly #sheet = new TallySheet();
  #events: Event[] = [];
  #trouble: Event[] = [];
  readonly #timer = new Timer(() => {
    this.#writing = this.#takeTurn();
  });
  /** The timer is set, or what it began goes on. */
  #isDue = false;
  #writing: Promise<void> = Promise.resolve();
  #counted = monotonicNow();
  #trimmed = monotonicNow();
  #warned = -Infinity;
  #closed = false;

  constructor(
    private readonly history: HistoryStore,
    private readonly settings: HistorySettings,
    private readonly clock: StoreClock,
    private readonly telemetry?: ServerTelemetry,
  ) {}

  /** @param wait how long the lease was waited for, in milliseconds; 0 when it wasn't */
  acquired(lease: LeaseRecord, wait: number): void {
    const at = monotonicNow();
    this.#leases.begin(lease, at);
    this.#count('acquired');
    if (wait > 0) this.#sheet.waited(wait);
    if (this.#isFull) return;
    const details = wait > 0 || lease.share ? { ...modeDetails(lease.share), ...waitDetails(wait) } : null;
    this.#note('acquired', at, lease.lockName, whoseIs(lease), details);
  }

  refused({ lockName }: Pick<AcquireRequest, 'lockName'>): void {
    this.#count('refused');
    this.#sheet.contended(lockName, 'refused');
  }

  /** An acquire has begun to wait. */
  waiting(
    {
      lockName,
      workerName,
      grantId,
      share,
    }: Pick<AcquireRequest, 'lockName' | 'workerName' | 'grantId' | 'share'>,
    holder: HolderRecord,
  ): void {
    this.#count('waited');
    this.#sheet.contended(lockName, 'waited');
    this.#note(
      'waited',
      monotonicNow(),
      lockName,
      { workerName, grantId, fencingToken: null },
      { ...modeDetails(share), holder: holder.workerName },
    );
  }

  renewed(lease: LeaseRecord): void {
    if (this.#isFull) return; // Before anything is remembered: of a hundred thousand leases, each would drive another one out.
    const at = monotonicNow();
    if (this.#leases.renew(lease, at, this.settings.renewals))
      this.#note('renewed', at, lease.lockName, whoseIs(lease), null);
  }

  /** An exclusive lease became a shared one. */
  downgraded(lease: LeaseRecord): void {
    const at = monotonicNow();
    const began = this.#leases.lose(lease.grantId)?.began ?? NaN;
    this.#leases.begin(lease, Number.isNaN(began) ? at : began);
    this.#note('downgraded', at, lease.lockName, whoseIs(lease), modeDetails(lease.share));
  }

  released(request: ReleaseRequest): void {
    const at = monotonicNow();
    this.#count('released');
    if (!('grantId' in request)) {
      this.#note(
        'released',
        at,
        request.lockName,
        { workerName: request.workerName, grantId: null, fencingToken: null },
        null,
      );
      return;
    }
    const { lockName, grantId } = request;
    const lease = this.#lasted(lockName, this.#leases.release(grantId), at);
    if (!this.#isFull) this.#note('released', at, lockName, holderOf(grantId, lease), null);
  }

  /**
   * A holder came to renew or to release a lease that is over.
   * @returns whether there was such a lease, as far as is known, and its holder has not released it itself
   */
  lost(lockName: string, grantId: string): boolean {
    if (this.#leases.isReleased(grantId)) return false;
    const at = monotonicNow();
    this.#count('lost');
    const lease = this.#lasted(lockName, this.#leases.lose(grantId), at);
    this.#note('lost', at, lockName, holderOf(grantId, lease), null);
    return lease !== undefined;
  }

  /** A lease was never released, and somebody else got the lock. */
  expired({ lockName, workerName, fencingToken }: ExpiredLease): void {
    this.#count('expired');
    this.#note('expired', monotonicNow(), lockName, { workerName, grantId: null, fencingToken }, null);
  }

  /** An operator has taken the lock of a lease that was never released; the store records it with the act. */
  overtaken(): void {
    this.#count('expired');
  }

  /** An operator has ended a lease. */
  forced({ lockName, grantId }: LeaseRecord): void {
    this.#count('forced');
    this.#lasted(lockName, this.#leases.lose(grantId), monotonicNow());
  }

  /** Writes what is left, as far as that goes soon. Nothing is recorded afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.stop();
    const left = this.#writing.then(() => this.#writeDue({ all: true }));
    await inTime(CLOSE_PATIENCE, left).catch(() => {
      this.#logger.warn('The end of the history of locks is not written: the database is late.');
    });
  }

  /** Counts for how long a lease was held that is over now, where that is known. */
  #lasted(lockName: string, lease: KnownGrant | undefined, at: number): KnownGrant | undefined {
    if (!lease || Number.isNaN(lease.began)) return lease;
    this.#sheet.held(at - lease.began);
    this.telemetry?.held(lockName, lease.began, at);
    return lease;
  }

  /** Then what happens every day is counted only. */
  get #isFull(): boolean {
    return this.#events.length >= MAX_EVENTS;
  }

  #count(what: Parameters<TallySheet['count']>[0]): void {
    this.#sheet.count(what);
    this.#writeSoon();
  }

  #note(
    event: HistoryEntry['event'],
    at: number,
    lockName: string,
    whose: Pick<HistoryEntry, 'workerName' | 'grantId' | 'fencingToken'>,
    details: HistoryEntry['details'],
  ): void {
    if (this.#closed) return;
    const tells = event === 'lost' || event === 'expired';
    const events = tells ? this.#trouble : this.#events;
    if (events.length >= (tells ? MAX_TROUBLE : MAX_EVENTS)) return;
    events.push({ event, at, lockName, ...whose, details });
    this.#writeSoon();
  }

  #writeSoon(): void {
    if (this.#closed || this.#isDue) return;
    this.#isDue = true;
    this.#timer.set(monotonicNow() + FLUSH_INTERVAL);
  }

  async #takeTurn(): Promise<void> {
    await this.#writeDue();
    this.#isDue = false;
    if (this.#events.length + this.#trouble.length > 0 || !this.#sheet.isEmpty) this.#writeSoon();
  }

  /** One after the other: while it takes long, what happens meanwhile is bounded as the events of one flush are. */
  async #writeDue({ all = false } = {}): Promise<void> {
    await this.#write(() => this.#writeEvents());
    if (all || isOver(this.#counted, COUNT_INTERVAL)) {
      this.#counted = monotonicNow();
      await this.#write(() => this.#writeCounts());
    }
    if (isOver(this.#trimmed, TRIM_INTERVAL)) {
      this.#trimmed = monotonicNow();
      await this.#write(() => this.history.trim(this.settings.retention, this.settings.maxRows));
    }
  }

  async #writeEvents(): Promise<void> {
    const events = [...this.#events, ...this.#trouble].toSorted((one, other) => one.at - other.at);
    this.#events = [];
    this.#trouble = [];
    if (events.length === 0) return;
    const now = monotonicNow();
    await this.history.record(
      events.map(({ at, ...event }) => ({ ...event, age: now - at, time: this.clock.timeOf(at) })),
    );
  }

  async #writeCounts(): Promise<void> {
    const tally = this.#sheet.take();
    if (tally) await this.history.count(tally);
  }

  async #write(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.telemetry?.historyGap();
      if (!isOver(this.#warned, WARNING_INTERVAL)) return;
      this.#warned = monotonicNow();
      this.#logger.warn(
        `The history of locks has gaps: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

const isOver = (since: number, interval: number) => monotonicNow() - since >= interval;

const waitDetails = (wait: number) => (wait > 0 ? { wait: Math.round(wait) } : {});

const whoseIs = ({ workerName, grantId, fencingToken }: LeaseRecord) => ({
  workerName,
  grantId,
  fencingToken,
});

function holderOf(grantId: string, lease: KnownGrant | undefined) {
  return { grantId, workerName: lease?.workerName ?? null, fencingToken: lease?.fencingToken ?? null };
}

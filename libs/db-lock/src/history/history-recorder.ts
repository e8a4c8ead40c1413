import { Logger } from '@nestjs/common';
import { monotonicNow } from '../lease/deadline.js';
import type { AcquireRequest, ReleaseRequest } from '../lease/requests.js';
import type { HistoryEntry, HistoryStore } from '../store/history-store.js';
import type { ExpiredLease, HolderRecord, LeaseRecord } from '../store/lock-store.js';
import { BoundedMap } from './bounded-map.js';
import type { HistorySettings } from './options.js';
import { StoreClock } from './store-clock.js';
import { TallySheet } from './tally-sheet.js';

/** How long what happened may wait to be written, in milliseconds. */
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

/** The most leases that are remembered at a time, to tell whose it was that ended, and how long it lasted. */
const MAX_LEASES = 20_000;

/** A warning that writing fails comes no more often than that, in milliseconds. */
const WARNING_INTERVAL = 60_000;

interface KnownLease {
  workerName: string;
  fencingToken: number;
  began: number;
  /** When its last renewal was recorded. */
  renewed: number;
}

type Event = Omit<HistoryEntry, 'age' | 'time'> & { at: number };

/**
 * Writes down what happens to locks as this server sees it, in batches, beside the requests' way: nobody waits for it, and
 * what it can't write is lost. Acts of operators are none of its business: the store records them with the acts.
 */
export class HistoryRecorder {
  readonly #logger = new Logger('DbLock');
  readonly #leases = new BoundedMap<string, KnownLease>(MAX_LEASES);
  readonly #sheet = new TallySheet();
  readonly #clock = new StoreClock();
  #events: Event[] = [];
  #trouble: Event[] = [];
  #flushing?: NodeJS.Timeout;
  #counting?: NodeJS.Timeout;
  #written: Promise<void> = Promise.resolve();
  #trimmed = monotonicNow();
  #warned = -Infinity;
  #closed = false;

  constructor(
    private readonly history: HistoryStore,
    private readonly settings: HistorySettings,
  ) {}

  /** @param wait how long the lease was waited for, in milliseconds; 0 when it wasn't */
  acquired({ lockName, workerName, grantId, fencingToken, serverTime }: LeaseRecord, wait: number): void {
    const at = monotonicNow();
    this.#clock.observe(serverTime, at);
    this.#leases.set(grantId, { workerName, fencingToken, began: at, renewed: at });
    this.#count('acquired');
    if (wait > 0) this.#sheet.waited(wait);
    this.#note(
      'acquired',
      at,
      lockName,
      { workerName, grantId, fencingToken },
      wait > 0 ? { wait: Math.round(wait) } : null,
    );
  }

  refused({ lockName }: Pick<AcquireRequest, 'lockName'>): void {
    this.#count('refused');
    this.#sheet.contended(lockName, 'refused');
  }

  /** An acquire has begun to wait. */
  waiting(
    { lockName, workerName, grantId }: Pick<AcquireRequest, 'lockName' | 'workerName' | 'grantId'>,
    holder: HolderRecord,
  ): void {
    this.#count('waited');
    this.#sheet.contended(lockName, 'waited');
    this.#note(
      'waited',
      monotonicNow(),
      lockName,
      { workerName, grantId, fencingToken: null },
      { holder: holder.workerName },
    );
  }

  renewed({ lockName, workerName, grantId, fencingToken, serverTime }: LeaseRecord): void {
    const at = monotonicNow();
    this.#clock.observe(serverTime, at);
    let lease = this.#leases.get(grantId);
    if (lease && at - lease.renewed < this.settings.renewals) return;
    if (lease) lease.renewed = at;
    else this.#leases.set(grantId, (lease = { workerName, fencingToken, began: NaN, renewed: at }));
    this.#note('renewed', at, lockName, { workerName, grantId, fencingToken }, null);
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
    const lease = this.#ended(request.grantId, at);
    this.#note('released', at, request.lockName, holderOf(request.grantId, lease), null);
  }

  /** A holder came to renew or to release a lease that is over. */
  lost(lockName: string, grantId: string): void {
    const at = monotonicNow();
    this.#count('lost');
    this.#note('lost', at, lockName, holderOf(grantId, this.#ended(grantId, at)), null);
  }

  /** A lease was never released, and somebody else got the lock. */
  expired(lockName: string, { workerName, fencingToken }: ExpiredLease): void {
    this.#count('expired');
    this.#note('expired', monotonicNow(), lockName, { workerName, grantId: null, fencingToken }, null);
  }

  /** An operator has ended a lease. */
  forced({ grantId }: LeaseRecord): void {
    this.#count('forced');
    this.#ended(grantId, monotonicNow());
  }

  /** Writes what is left. Nothing is recorded afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#flushing);
    clearTimeout(this.#counting);
    this.#flush();
    this.#writeCounts();
    await this.#written;
  }

  #ended(grantId: string, at: number): KnownLease | undefined {
    const lease = this.#leases.get(grantId);
    if (!lease) return undefined;
    this.#leases.delete(grantId);
    if (lease.began === lease.began) this.#sheet.held(at - lease.began);
    return lease;
  }

  #count(what: Parameters<TallySheet['count']>[0]): void {
    this.#sheet.count(what);
    if (!this.#closed) this.#counting ??= setTimeout(() => this.#writeCounts(), COUNT_INTERVAL).unref();
  }

  #note(
    event: HistoryEntry['event'],
    at: number,
    lockName: string,
    whose: Pick<HistoryEntry, 'workerName' | 'grantId' | 'fencingToken'>,
    details: HistoryEntry['details'],
  ): void {
    if (this.#closed) return;
    const usual = event === 'acquired' || event === 'released' || event === 'renewed';
    const events = usual ? this.#events : this.#trouble;
    if (events.length >= (usual ? MAX_EVENTS : MAX_TROUBLE)) return;
    events.push({ event, at, lockName, ...whose, details });
    this.#flushing ??= setTimeout(() => this.#flush(), FLUSH_INTERVAL).unref();
  }

  #flush(): void {
    this.#flushing = undefined;
    const events = [...this.#events, ...this.#trouble].toSorted((one, other) => one.at - other.at);
    this.#events = [];
    this.#trouble = [];
    if (events.length > 0)
      this.#write(() => {
        const now = monotonicNow();
        return this.history.record(
          events.map(({ at, ...event }) => ({ ...event, age: now - at, time: this.#clock.timeOf(at) })),
        );
      });
    if (monotonicNow() - this.#trimmed > TRIM_INTERVAL) {
      this.#trimmed = monotonicNow();
      this.#write(() => this.history.trim(this.settings.retention, this.settings.maxRows));
    }
  }

  #writeCounts(): void {
    this.#counting = undefined;
    const tally = this.#sheet.take();
    if (tally) this.#write(() => this.history.count(tally));
  }

  /** One after the other. */
  #write(write: () => Promise<unknown>): void {
    this.#written = this.#written.then(write).then(
      () => undefined,
      (error: unknown) => {
        if (monotonicNow() - this.#warned < WARNING_INTERVAL) return;
        this.#warned = monotonicNow();
        this.#logger.warn(
          `The history of locks has gaps: ${error instanceof Error ? error.message : String(error)}`,
        );
      },
    );
  }
}

function holderOf(grantId: string, lease: KnownLease | undefined) {
  return { grantId, workerName: lease?.workerName ?? null, fencingToken: lease?.fencingToken ?? null };
}

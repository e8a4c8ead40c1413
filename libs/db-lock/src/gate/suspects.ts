import { monotonicNow } from '../lease/clock.js';
import type { LockRecord } from '../store/lock-store.js';
import type { Entry } from './entry.js';

/** Milliseconds from the first refusal to the look into the database: claims get their answer meanwhile. */
const DELAY = 1_000;

/** Milliseconds by which a look comes early for some, so that it is one look for many. */
const TOGETHER = 200;

/** Milliseconds for which an entry that was found true is believed; never beyond its lease. */
const TRUSTED = 5_000;

/** The most entries that are remembered, of either kind. */
const MOST = 10_000;

/** The most locks that are looked at in one statement. */
const BATCH = 256;

/** An entry by which somebody was refused. */
export interface Suspect {
  lockName: string;
  entry: Entry;
}

export interface SuspectsOptions {
  /** Reads the locks from the database; rejects when it does not answer. */
  inspect(lockNames: readonly string[]): Promise<ReadonlyArray<LockRecord | null>>;
  /** Hears which entries are not true. */
  onUntrue(suspects: readonly Suspect[]): Promise<void>;
}

/**
 * Entries that refuse a lock. Each is checked against the database about a second after somebody first bumps into it,
 * and from time to time as long as somebody does: so a key that lies, for whatever reason, does not last.
 */
export class Suspects {
  /** By name, the oldest first, with the moment of the look. */
  readonly #suspected = new Map<string, { entry: Entry; due: number }>();
  /** By name, the oldest first, with the moment until which it is believed. */
  readonly #trusted = new Map<string, { entry: Entry; until: number }>();
  #timer?: NodeJS.Timeout;
  #looking = false;
  #closed = false;

  constructor(private readonly options: SuspectsOptions) {}

  /** Somebody was refused because of the entry. */
  suspect(lockName: string, entry: Entry): void {
    const now = monotonicNow();
    const trusted = this.#trusted.get(lockName);
    if (trusted && isSame(trusted.entry, entry) && now < trusted.until) return;
    const suspected = this.#suspected.get(lockName);
    if (suspected && isSame(suspected.entry, entry)) return;
    this.#suspected.delete(lockName);
    if (this.#suspected.size >= MOST) return; // The oldest have their turn; this one comes up again.
    this.#suspected.set(lockName, { entry, due: now + DELAY });
    this.#lookLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#suspected.clear();
    this.#trusted.clear();
  }

  #lookLater(): void {
    const [first] = this.#suspected.values();
    if (!first || this.#timer || this.#looking || this.#closed) return;
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, first.due - monotonicNow()));
    this.#timer.unref();
  }

  /** One statement at a time. */
  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#looking = true;
    await this.#lookAt(this.#takeDue()).catch(() => undefined); // Whoever is refused next brings it up again.
    this.#looking = false;
    this.#lookLater();
  }

  #takeDue(): Suspect[] {
    const latest = monotonicNow() + TOGETHER;
    const due: Suspect[] = [];
    for (const [lockName, suspected] of this.#suspected) {
      if (suspected.due > latest || due.length === BATCH) break;
      this.#suspected.delete(lockName);
      due.push({ lockName, entry: suspected.entry });
    }
    return due;
  }

  async #lookAt(suspects: readonly Suspect[]): Promise<void> {
    const askedAt = monotonicNow();
    const records = await this.options.inspect(suspects.map(({ lockName }) => lockName));
    const untrue: Suspect[] = [];
    suspects.forEach(({ lockName, entry }, index) => {
      const record = records[index] ?? null;
      if (!isTrue(entry, record)) untrue.push({ lockName, entry });
      else this.#trust(lockName, entry, askedAt + Math.min(TRUSTED, timeLeft(record)));
    });
    if (untrue.length > 0 && !this.#closed) await this.options.onUntrue(untrue);
  }

  #trust(lockName: string, entry: Entry, until: number): void {
    this.#trusted.delete(lockName);
    if (this.#trusted.size >= MOST) this.#trusted.delete(this.#trusted.keys().next().value!);
    this.#trusted.set(lockName, { entry, until });
  }
}

const isSame = (one: Entry, other: Entry) => one.grantId === other.grantId && one.token === other.token;

/** A record does not tell its grantId. */
function isTrue(entry: Entry, record: LockRecord | null): record is LockRecord {
  if (record?.state !== 'held') return false;
  return entry.token > 0 ? record.fencingToken === entry.token : record.workerName === entry.workerName;
}

const timeLeft = ({ expireTime, serverTime }: LockRecord) => expireTime.getTime() - serverTime.getTime();

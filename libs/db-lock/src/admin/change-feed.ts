import { Logger } from '@nestjs/common';
import {
  concat,
  defer,
  finalize,
  from,
  map,
  merge,
  of,
  ReplaySubject,
  Subject,
  takeUntil,
  timer,
  type Observable,
} from 'rxjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../lease/clock.js';
import { toLockJson } from '../server/schemas.js';
import type { OperatorDesk } from '../server/operator-desk.js';
import type { ChangedLock, Waiting } from '../store/history-store.js';
import type { ServerSentEvent } from './event-stream.js';

/** Milliseconds between two looks at the database. */
const LOOK_INTERVAL = 1_000;

/** Milliseconds between two signs of life. */
const TICK_INTERVAL = 15_000;

/** Where nothing is recorded, nobody can tell what has changed: so many milliseconds until everybody reads anew. */
const REFRESH_INTERVAL = 5_000;

/** More changed locks are not sent at once: who watches reads its view anew. */
const MAX_CHANGES = 300;

/**
 * How long somebody is told of changes without being asked again who they are, in milliseconds: a random time within these,
 * so that those who have come together don't return together.
 */
const LIFETIME = { least: 240_000, most: 360_000 };

/** After how many milliseconds a browser returns when its stream has ended: by itself, and after the end of its lifetime. */
const RETRY = { usual: 3_000, planned: 100 };

/**
 * What changes, for those who watch: one look a second, however many they are, and none while nobody watches. Changes come
 * from what is recorded, and from how many wait for each lock.
 */
export class ChangeFeed {
  readonly #logger = new Logger('DbLock');
  readonly #messages = new Subject<ServerSentEvent>();
  /** Also for those who come later: a browser whose stream has ended soon opens another one. */
  readonly #closing = new ReplaySubject<void>(1);
  #watchers = 0;
  #looking?: AbortController;
  /** When it is known from where on changes are told. */
  #placed: Promise<unknown> = Promise.resolve();

  /** @param records whether there is a history to look at */
  constructor(
    private readonly desk: OperatorDesk,
    private readonly records: boolean,
  ) {}

  /**
   * Begins with `hello`: what changes from then on is told; or fails where that can't be promised. Ends with `again` after some
   * minutes, for the guards to decide anew; and when the application shuts down.
   */
  watch(): Observable<ServerSentEvent> {
    return defer(() => {
      this.#watchers++;
      if (this.#watchers === 1) this.#start();
      const hello = from(this.#placed).pipe(map(() => message('hello', {}, RETRY.usual)));
      const again = of(message('again', {}, RETRY.planned));
      return concat(merge(hello, this.#messages).pipe(takeUntil(timer(lifetime()))), again);
    }).pipe(
      takeUntil(this.#closing),
      finalize(() => {
        this.#watchers--;
        if (this.#watchers === 0) this.#looking?.abort();
      }),
    );
  }

  close(): void {
    this.#closing.next();
    this.#looking?.abort();
  }

  #start(): void {
    const { signal } = (this.#looking = new AbortController());
    const look = this.records ? new Look(this.desk) : undefined;
    this.#placed = look ? look.next() : Promise.resolve();
    void this.#goOn(signal, look);
  }

  async #goOn(signal: AbortSignal, look: Look | undefined): Promise<void> {
    try {
      await this.#placed;
    } catch {
      return; // which those who have come are told
    }
    let ticked = monotonicNow();
    let refreshed = monotonicNow();
    for (;;) {
      try {
        await sleep(LOOK_INTERVAL, undefined, { signal, ref: false });
      } catch {
        return; // nobody watches any more
      }
      try {
        const changes = (await look?.next()) ?? [];
        if (signal.aborted) return; // who watches now has begun anew
        for (const change of changes) this.#messages.next(change);
        if (!this.records && monotonicNow() - refreshed >= REFRESH_INTERVAL) {
          refreshed = monotonicNow();
          this.#messages.next(message('refresh', {}));
        }
        if (monotonicNow() - ticked >= TICK_INTERVAL) {
          ticked = monotonicNow();
          this.#messages.next(message('tick', {}));
        }
      } catch (error) {
        // Whoever watches finds out by the silence.
        this.#logger.debug(`Changes of locks could not be read: ${String(error)}`);
      }
    }
  }
}

const lifetime = () => LIFETIME.least + Math.random() * (LIFETIME.most - LIFETIME.least);

/** What was told of a lock; `version` is empty where there was none. */
interface Told {
  version: string;
  lastEvent: number;
}

/** Looks at the database, one time after the other. */
class Look {
  /** Where the looks before the last one ended: what was written by then, and committed later, is seen by the next. */
  #cursors: string[] = [];
  /** What was told of each lock lately. */
  #told = new Map<string, Told>();
  #waiting: Waiting = new Map();

  constructor(private readonly desk: OperatorDesk) {}

  async next(): Promise<ServerSentEvent[]> {
    const { serverTime, cursor, waiting, locks, removed, truncated } = await this.desk.changes(
      this.#cursors[0],
      this.#waiting,
      MAX_CHANGES,
    );
    this.#waiting = waiting;
    if (truncated) {
      this.#cursors = [cursor];
      this.#told.clear();
      return [message('many', { serverTime: serverTime.toISOString() })];
    }
    this.#cursors = [...this.#cursors, cursor].slice(-2);
    const changed = locks.filter((lock) => this.#isNews(lock.lockName, toldOf(lock)));
    const gone = removed.filter((name) => this.#isNews(name, GONE));
    this.#told = new Map([
      ...locks.map((lock) => [lock.lockName, toldOf(lock)] as const),
      ...removed.map((name) => [name, GONE] as const),
    ]);
    if (changed.length === 0 && gone.length === 0) return [];
    return [
      message('changes', {
        serverTime: serverTime.toISOString(),
        locks: changed.map(toLockJson),
        removed: gone,
      }),
    ];
  }

  #isNews(lockName: string, { version, lastEvent }: Told): boolean {
    const told = this.#told.get(lockName);
    return told?.version !== version || lastEvent > told.lastEvent;
  }
}

const GONE: Told = { version: '', lastEvent: 0 };

const toldOf = ({ lastEvent, ...lock }: ChangedLock): Told => ({
  version: JSON.stringify([
    lock.state,
    lock.fencingToken,
    lock.expireTime,
    lock.metadata,
    lock.waiting,
    lock.sharing,
  ]),
  lastEvent,
});

const message = (type: string, data: object, retry?: number): ServerSentEvent => ({
  type,
  data,
  ...(retry !== undefined && { retry }),
});

import { Logger, type MessageEvent } from '@nestjs/common';
import { defer, finalize, from, map, merge, ReplaySubject, Subject, takeUntil, type Observable } from 'rxjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { toLockJson } from '../server/schemas.js';
import type { OperatorDesk } from '../server/operator-desk.js';
import type { ChangedLock } from '../store/history-store.js';

/** Milliseconds between two looks at the database. */
const LOOK_INTERVAL = 1_000;

/** Milliseconds between two signs of life. */
const TICK_INTERVAL = 15_000;

/** Where nothing is recorded, nobody can tell what has changed: so many milliseconds until everybody reads anew. */
const REFRESH_INTERVAL = 5_000;

/** More changed locks are not sent at once: who watches reads its view anew. */
const MAX_CHANGES = 300;

/**
 * What changes, for those who watch: one look a second, however many they are, and none while nobody watches. Changes come
 * from what is recorded, with those locks that are waited for.
 */
export class ChangeFeed {
  readonly #logger = new Logger('DbLock');
  readonly #messages = new Subject<MessageEvent>();
  /** Also for those who come later: a browser whose stream has ended soon opens another one. */
  readonly #closing = new ReplaySubject<void>(1);
  #watchers = 0;
  #looking?: AbortController;
  /** Whether it is known from where on changes are told. */
  #placed: Promise<void> = Promise.resolve();

  /** @param records whether there is a history to look at */
  constructor(
    private readonly desk: OperatorDesk,
    private readonly records: boolean,
  ) {}

  /** Begins with `hello`: what changes from then on is told. Ends when the application shuts down. */
  watch(): Observable<MessageEvent> {
    return defer(() => {
      this.#watchers++;
      if (this.#watchers === 1) this.#start();
      return merge(from(this.#placed).pipe(map(() => message('hello', {}))), this.#messages);
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
    const first = look?.next() ?? Promise.resolve();
    this.#placed = first.then(
      () => undefined,
      (error: unknown) => this.#failed(error),
    );
    void this.#goOn(signal, look);
  }

  async #goOn(signal: AbortSignal, look: Look | undefined): Promise<void> {
    await this.#placed;
    let ticked = Date.now();
    let refreshed = Date.now();
    for (;;) {
      try {
        await sleep(LOOK_INTERVAL, undefined, { signal, ref: false });
      } catch {
        return; // nobody watches any more
      }
      try {
        for (const change of (await look?.next()) ?? []) this.#messages.next(change);
        if (!this.records && Date.now() - refreshed >= REFRESH_INTERVAL) {
          refreshed = Date.now();
          this.#messages.next(message('refresh', {}));
        }
        if (Date.now() - ticked >= TICK_INTERVAL) {
          ticked = Date.now();
          this.#messages.next(message('tick', {}));
        }
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  /** Whoever watches finds out by the silence. */
  #failed(error: unknown): void {
    this.#logger.debug(`Changes of locks could not be read: ${String(error)}`);
  }
}

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
  #waitedFor: string[] = [];

  constructor(private readonly desk: OperatorDesk) {}

  async next(): Promise<MessageEvent[]> {
    const { serverTime, cursor, locks, removed, truncated } = await this.desk.changes(
      this.#cursors[0],
      this.#waitedFor,
      MAX_CHANGES,
    );
    if (truncated) {
      this.#cursors = [cursor];
      this.#told.clear();
      this.#waitedFor = [];
      return [message('many', { serverTime: serverTime.toISOString() })];
    }
    this.#cursors = [...this.#cursors, cursor].slice(-2);
    this.#waitedFor = locks.filter(({ waiting }) => waiting > 0).map(({ lockName }) => lockName);
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

const toldOf = ({ state, fencingToken, expireTime, metadata, waiting, lastEvent }: ChangedLock): Told => ({
  version: JSON.stringify([state, fencingToken, expireTime, metadata, waiting]),
  lastEvent,
});

const message = (type: string, data: object): MessageEvent => ({ type, data });

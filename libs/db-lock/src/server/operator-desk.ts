import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LockBusyError, LockChangedError, LockNotFoundError } from '../lease/errors.js';
import { lockNameSchema, workerNameSchema } from '../lease/names.js';
import { parseRequest } from '../lease/requests.js';
import { percentilesOf, type Percentiles } from '../history/histogram.js';
import type {
  ForceReleaseAnswer,
  ListQuery,
  LockFilter,
  LockGroup,
  LockPage,
  StateCounts,
} from '../store/lock-desk.js';
import {
  noCounts,
  type Changes,
  type ContendedName,
  type HistoryQuery,
  type HistoryRecord,
  type Statistics,
  type Waiting,
} from '../store/history-store.js';
import type { ErrorAnswer, ExpiredLease, LeaseRecord, LockRecord, LockStore } from '../store/lock-store.js';
import type { NextInLine } from '../store/wait-queue.js';
import { historyQuerySchema, listQuerySchema, lockFilterSchema } from './list-query.js';
import {
  deleteReleasedSchema,
  editSchema,
  forceReleaseAllSchema,
  forceReleaseSchema,
  holdSchema,
  inspectAllSchema,
  type DeleteReleasedAct,
  type EditAct,
  type ForceReleaseAct,
  type ForceReleaseAllAct,
  type HoldAct,
} from './operator-acts.js';
import { settled } from './settled.js';

const HOUR = 60 * 60 * 1000;

/** The ranges of the overview and the step of their time series, in milliseconds. */
export const RANGES = {
  '1h': { range: HOUR, step: HOUR / 60 },
  '6h': { range: 6 * HOUR, step: HOUR / 12 },
  '24h': { range: 24 * HOUR, step: HOUR / 4 },
  '7d': { range: 7 * 24 * HOUR, step: 2 * HOUR },
} as const;

/** How far back an overview looks. */
export type Range = keyof typeof RANGES;

const ranges = Object.keys(RANGES) as [Range, ...Range[]];

export const rangeSchema = z.enum(ranges, { error: `must be one of ${ranges.join(', ')}` });

/** What happened in a range, and how things are now. */
export interface Overview {
  serverTime: Date;
  now: StateCounts;
  /** Milliseconds from one point to the next. */
  step: number;
  /** One a step, also where nothing happened. */
  points: Statistics['points'];
  /** How long leases lasted. */
  hold: Percentiles;
  /** How long grants were waited for. */
  wait: Percentiles;
  contended: Array<ContendedName & { waiting: number }>;
}

/** A lease that was ended by force; of several in shared mode the newest, with the `others`. */
export interface EndedLease extends LeaseRecord {
  others: LeaseRecord[];
}

/** What became of one of several locks; `free`: nobody held it, `error`: it is unknown. */
export type ForcedLock = { lockName: string } &
  /** `ended`: of several leases in shared mode the newest, and the `others`. */
  (
    | { outcome: 'forced'; ended: LeaseRecord; others: LeaseRecord[] }
    | { outcome: 'free' | 'error' }
    | { outcome: 'changed'; lock: LockRecord | null }
  );

export interface HistoryPage {
  items: HistoryRecord[];
  /** Where the next page begins; null on the last one. */
  next: string | null;
}

/** How many groups of names are shown at once. */
export const MAX_GROUPS = 200;

/** How many locks are read at a time of a list of all. */
const CHUNK = 1_000;

/** What the server must know of acts of operators. */
export interface DeskObserver {
  /** A lock was taken by hand whose last lease had expired. */
  onExpired(lease: ExpiredLease): void;
  /** A lease was ended: `actor` says by whom. */
  onForced(holder: LeaseRecord, by: { actor: string; reason: string }): void;
  /** A lock is held otherwise than before, or may be free; `next` waits for it. */
  onChanged(lockName: string, next: NextInLine | null): void;
}

/**
 * What operators see and do. Every act is recorded with its actor and reason, in the same transaction.
 *
 * Every method throws `InvalidLockRequestError` for a request that breaks a rule, before anything is done, and
 * `StoreUnavailableError` when the store does not answer: then a request may or may not have taken effect.
 */
export class OperatorDesk {
  /** @internal Made by LockServer. */
  constructor(
    private readonly store: LockStore,
    private readonly observer: DeskObserver,
  ) {}

  /**
   * Frees a lock against its holder's will and records who did it and why. The old holder may still be running: it
   * learns of it at its next renewal, and a resource that checks fencing tokens refuses it.
   * @returns the lease that was ended, of several in shared mode the newest; null when nobody held the lock
   * @throws LockChangedError when it is held otherwise than by the lease of `fencingToken`, or not in the `mode` that is meant: then
   * nothing was done
   */
  async forceRelease(request: ForceReleaseAct): Promise<EndedLease | null> {
    const checked = parseRequest(forceReleaseSchema, request);
    const [answer] = await this.store.desk.forceRelease([checked]);
    const heeded = this.#heed(checked, settled(answer!));
    if (heeded.outcome === 'changed') throw await this.#changed(checked.lockName);
    return heeded.outcome === 'forced' ? endedLease(heeded.holders) : null;
  }

  /**
   * The same for several, each by itself, in their order.
   * @throws StoreUnavailableError when it is unknown of all of them what became of them
   */
  async forceReleaseAll(request: ForceReleaseAllAct): Promise<ForcedLock[]> {
    const { locks, actor, reason } = parseRequest(forceReleaseAllSchema, request);
    const requests = locks.map((lock) => ({ ...lock, actor, reason }));
    const answers = await this.store.desk.forceRelease(requests);
    // An answer that tells nothing of any would look like a success.
    if (answers.every(({ outcome }) => outcome === 'error')) throw (answers[0] as ErrorAnswer).error;
    return Promise.all(
      requests.map(async ({ lockName, ...rest }, index): Promise<ForcedLock> => {
        const answer = answers[index]!;
        if (answer.outcome === 'error') return { lockName, outcome: 'error' };
        this.#heed({ lockName, ...rest }, answer);
        switch (answer.outcome) {
          case 'forced':
            return { lockName, outcome: 'forced', ended: answer.holders[0], others: answer.holders.slice(1) };
          case 'free':
            return { lockName, outcome: 'free' };
          case 'changed':
            // What became of the others is told all the same.
            return { lockName, outcome: 'changed', lock: await this.#inspect(lockName).catch(() => null) };
        }
      }),
    );
  }

  /**
   * Takes a lock by hand, for maintenance, past all who wait.
   * @param request without a `workerName`, the actor holds it
   * @throws LockBusyError when somebody has it
   */
  async hold(request: HoldAct): Promise<LockRecord> {
    const checked = parseRequest(holdSchema, request);
    const answer = settled(
      await this.store.desk.hold({
        ...checked,
        workerName: checked.workerName ?? checked.actor,
        grantId: randomUUID(),
      }),
    );
    const { lockName } = checked;
    if (answer.outcome === 'busy') {
      const lock = await this.#inspect(lockName);
      const retryAfter = lock && this.#freeIn(lock);
      throw new LockBusyError(
        lockName,
        lock ?? { workerName: null, lockTime: null, expireTime: null },
        retryAfter,
      );
    }
    if (answer.expired) this.observer.onExpired(answer.expired);
    this.observer.onChanged(lockName, null);
    return lockOf(answer.lease);
  }

  /**
   * Gives a live lease another end, later or earlier, or other metadata. Its token stays: its holder is the same.
   * @throws LockChangedError when that lease is over: then nothing was done
   */
  async edit(request: EditAct): Promise<LockRecord> {
    const checked = parseRequest(editSchema, request);
    const answer = settled(await this.store.desk.edit(checked));
    if (answer.outcome === 'changed') throw await this.#changed(checked.lockName);
    this.observer.onChanged(checked.lockName, answer.next);
    return (await this.#inspect(checked.lockName)) ?? lockOf(answer.lease);
  }

  /** Removes locks that are free, that nobody waits for and that nobody has used in the last minute. Returns the names of those. */
  async deleteReleased(request: DeleteReleasedAct): Promise<string[]> {
    const { lockNames, actor } = parseRequest(deleteReleasedSchema, request);
    return this.store.desk.deleteReleased(lockNames, actor);
  }

  /**
   * Marks expired leases as released and returns how many there were. Their locks are free even before; those that the clock tolerance
   * still keeps from others stay.
   * @param actor the operator who does it; recorded where there is one
   */
  async clearExpired(actor?: string): Promise<number> {
    return this.store.desk.clearExpired(
      actor === undefined ? undefined : parseRequest(workerNameSchema, actor, 'actor'),
    );
  }

  /** One page of the locks that match; by default the first 50, by name. */
  async list(query: Partial<ListQuery> = {}): Promise<LockPage> {
    return this.listChecked(parseRequest(listQuerySchema, query, 'query'), (filter) => this.count(filter));
  }

  /**
   * @internal For queries that the schema has been applied to.
   * @param count how many match, by whatever means: it may be a little old
   */
  async listChecked(
    { page, pageSize, sort, order, ...filter }: ListQuery,
    count: (filter: LockFilter) => Promise<number>,
  ): Promise<LockPage> {
    const found = await this.store.desk.page({ page, pageSize, sort, order, ...filter });
    const { length } = found.items;
    const seen = (page - 1) * pageSize + length;
    // A page that isn't full says by itself how many there are.
    const isLast = length < pageSize && (length > 0 || page === 1);
    const total = isLast ? seen : Math.max(await count(filter), length > 0 ? seen : 0);
    return { ...found, total };
  }

  /** @internal For filters that the schema has been applied to. */
  count(checked: LockFilter): Promise<number> {
    return this.store.desk.count(checked);
  }

  /** All locks that match, by name, a thousand at a time. */
  listAll(filter: LockFilter = {}): AsyncIterable<LockRecord[]> {
    return this.store.desk.listAll(parseRequest(lockFilterSchema, filter, 'query'), CHUNK);
  }

  /** Several locks as they are now. `unknown`: there are no such locks (any more). */
  async inspectAll(
    lockNames: readonly string[],
  ): Promise<{ locks: LockRecord[]; unknown: string[]; serverTime: Date }> {
    const names = parseRequest(inspectAllSchema, { lockNames }).lockNames;
    const found = await this.store.inspect(names);
    const locks = found.filter((lock) => lock !== null);
    return {
      locks,
      unknown: names.filter((_, index) => found[index] === null),
      serverTime: locks[0]?.serverTime ?? (await this.store.history.now()),
    };
  }

  /** Names by what they have in common, up to the next `:` after the prefix. */
  async groups(filter: LockFilter = {}): Promise<{ items: LockGroup[]; truncated: boolean }> {
    const checked: LockFilter = parseRequest(lockFilterSchema, filter, 'query');
    const groups = await this.store.desk.groups(checked, MAX_GROUPS + 1);
    return { items: groups.slice(0, MAX_GROUPS), truncated: groups.length > MAX_GROUPS };
  }

  countByState(): Promise<StateCounts> {
    return this.store.desk.countByState();
  }

  /** What happened to the lock, the newest first: by default the last 50 events. */
  async history(lockName: string, query: Partial<HistoryQuery> = {}): Promise<HistoryPage> {
    const name = parseRequest(lockNameSchema, lockName, 'lockName');
    const { limit, before } = parseRequest(historyQuerySchema, query, 'query');
    const records = await this.store.history.of(name, { limit: limit + 1, before });
    const items = records.slice(0, limit);
    return { items, next: records.length > limit ? items.at(-1)!.cursor : null };
  }

  /** What happened in the last `1h`, `6h`, `24h` or `7d`, and how things are now. */
  async overview(range: Range): Promise<Overview> {
    const { range: length, step } = RANGES[parseRequest(rangeSchema, range, 'range')];
    const [now, { serverTime, points, hold, wait, contended }] = await Promise.all([
      this.store.desk.countByState(),
      this.store.history.statistics(length, step),
    ]);
    const locks = await this.store.inspect(contended.map(({ lockName }) => lockName));
    return {
      serverTime,
      now,
      step,
      points: withoutGaps(points, serverTime, length, step),
      hold: percentilesOf(hold),
      wait: percentilesOf(wait),
      contended: contended.map((name, index) => ({ ...name, waiting: locks[index]?.waiting ?? 0 })),
    };
  }

  /** @internal For those who watch: see `HistoryStore`. */
  changes(cursor: string | undefined, waiting: Waiting, limit: number): Promise<Changes> {
    return this.store.history.changes(cursor, waiting, limit);
  }

  #heed<Answer extends ForceReleaseAnswer>(
    { lockName, actor, reason }: { lockName: string; actor: string; reason: string },
    answer: Answer,
  ): Answer {
    if (answer.outcome === 'forced')
      for (const holder of answer.holders) this.observer.onForced(holder, { actor, reason });
    this.observer.onChanged(lockName, answer.outcome === 'forced' ? answer.next : null);
    return answer;
  }

  async #changed(lockName: string): Promise<Error> {
    const lock = await this.#inspect(lockName);
    return lock ? new LockChangedError(lock) : new LockNotFoundError(lockName);
  }

  /** Milliseconds until others may have the lock. */
  #freeIn({ state, expireTime, serverTime }: LockRecord): number {
    const tolerance = state === 'expired' ? (this.store.clockTolerance ?? 0) : 0;
    return Math.max(0, expireTime.getTime() + tolerance - serverTime.getTime());
  }

  async #inspect(lockName: string): Promise<LockRecord | null> {
    const [lock] = await this.store.inspect([lockName]);
    return lock!;
  }
}

const endedLease = ([newest, ...others]: readonly [LeaseRecord, ...LeaseRecord[]]): EndedLease => ({
  ...newest,
  others,
});

function lockOf(lease: LeaseRecord): LockRecord {
  const { lockName, workerName, fencingToken, lockTime, expireTime, metadata, serverTime } = lease;
  return {
    lockName,
    state: 'held',
    workerName,
    fencingToken,
    lockTime,
    expireTime,
    metadata,
    serverTime,
    waiting: 0,
  };
}

/** One point a step up to now, with zeros where nothing was counted. */
function withoutGaps(
  points: Statistics['points'],
  now: Date,
  range: number,
  step: number,
): Statistics['points'] {
  const byTime = new Map(points.map((point) => [point.time.getTime(), point]));
  const last = Math.floor(now.getTime() / step) * step;
  return Array.from({ length: range / step }, (_, index, time = last - range + (index + 1) * step) => {
    return byTime.get(time) ?? { ...noCounts(), time: new Date(time) };
  });
}

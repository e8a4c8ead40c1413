import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ttlSchema } from '../lease/duration.js';
import { LockBusyError, LockChangedError, LockNotFoundError } from '../lease/errors.js';
import { metadataSchema } from '../lease/metadata.js';
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
  type HistoryRecord,
  type Statistics,
} from '../store/history-store.js';
import type { LeaseRecord, LockRecord, LockStore } from '../store/lock-store.js';
import type { NextInLine } from '../store/wait-queue.js';
import { historyQuerySchema, listQuerySchema, lockFilterSchema } from './list-query.js';
import { settled } from './settled.js';

/** The most locks that one request may act on. */
export const MAX_SELECTION = 200;

const SELECTION = { error: `must be a list of 1 to ${MAX_SELECTION} locks` };

const selectionOf = <Item extends z.ZodType>(item: Item) =>
  z.array(item, SELECTION).min(1, SELECTION).max(MAX_SELECTION, SELECTION);

const REASON = { error: 'must be a text of 1 to 1000 characters' };

export const reasonSchema = z
  .string(REASON)
  .trim()
  .min(1, REASON)
  .max(1000, REASON)
  .refine((text) => !text.includes('\0') && text.isWellFormed(), { error: 'must be storable text' });

const optionalReason = reasonSchema.nullish().transform((reason) => reason ?? null);

const TOKEN = { error: 'must be the fencing token of a lease' };

export const tokenSchema = z.int(TOKEN).min(0, TOKEN);

export const forceReleaseRequestSchema = z.strictObject({
  lockName: lockNameSchema,
  actor: workerNameSchema,
  reason: reasonSchema,
  fencingToken: tokenSchema.optional(),
});

export const forceReleaseAllSchema = z.strictObject({
  locks: selectionOf(z.strictObject({ lockName: lockNameSchema, fencingToken: tokenSchema.optional() })),
  actor: workerNameSchema,
  reason: reasonSchema,
});

export const holdRequestSchema = z.strictObject({
  lockName: lockNameSchema,
  ttl: ttlSchema,
  workerName: workerNameSchema.optional(),
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
  actor: workerNameSchema,
  reason: optionalReason,
});

export const editRequestSchema = z.strictObject({
  lockName: lockNameSchema,
  fencingToken: tokenSchema,
  ttl: ttlSchema.optional(),
  metadata: metadataSchema.nullable().optional(),
  actor: workerNameSchema,
  reason: optionalReason,
});

export const inspectAllSchema = z.strictObject({ lockNames: selectionOf(lockNameSchema) });

export const deleteReleasedSchema = z.strictObject({
  lockNames: selectionOf(lockNameSchema),
  actor: workerNameSchema,
});

const HOUR = 60 * 60 * 1000;

/** The ranges of the overview and the step of their time series, in milliseconds. */
export const RANGES = {
  '1h': { range: HOUR, step: HOUR / 60 },
  '6h': { range: 6 * HOUR, step: HOUR / 12 },
  '24h': { range: 24 * HOUR, step: HOUR / 4 },
  '7d': { range: 7 * 24 * HOUR, step: 2 * HOUR },
} as const;

export type Range = keyof typeof RANGES;

/** What happened in a range, and how things are now. */
export interface Overview {
  serverTime: Date;
  now: StateCounts;
  step: number;
  /** One a step, also where nothing happened. */
  points: Statistics['points'];
  hold: Percentiles;
  wait: Percentiles;
  contended: Array<ContendedName & { waiting: number }>;
}

/** What became of one of several locks. */
export type ForcedLock = { lockName: string } & (
  | { outcome: 'forced'; ended: LeaseRecord }
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
   * @returns the lease that was ended; null when nobody held the lock
   * @throws LockChangedError when another lease holds it than that of `fencingToken`: then nothing was done
   */
  async forceRelease(request: z.input<typeof forceReleaseRequestSchema>): Promise<LeaseRecord | null> {
    const checked = parseRequest(forceReleaseRequestSchema, request);
    const [answer] = await this.store.desk.forceRelease([checked]);
    const heeded = this.#heed(checked, settled(answer!));
    if (heeded.outcome === 'changed') throw await this.#changed(checked.lockName);
    return heeded.outcome === 'forced' ? heeded.holder : null;
  }

  /** The same for several, each by itself, in their order. */
  async forceReleaseAll(request: z.input<typeof forceReleaseAllSchema>): Promise<ForcedLock[]> {
    const { locks, actor, reason } = parseRequest(forceReleaseAllSchema, request);
    const requests = locks.map((lock) => ({ ...lock, actor, reason }));
    const answers = await this.store.desk.forceRelease(requests);
    return Promise.all(
      requests.map(async ({ lockName, ...rest }, index): Promise<ForcedLock> => {
        const answer = answers[index]!;
        if (answer.outcome === 'error') return { lockName, outcome: 'error' };
        this.#heed({ lockName, ...rest }, answer);
        switch (answer.outcome) {
          case 'forced':
            return { lockName, outcome: 'forced', ended: answer.holder };
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
  async hold(request: z.input<typeof holdRequestSchema>): Promise<LockRecord> {
    const checked = parseRequest(holdRequestSchema, request);
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
      const retryAfter = lock && Math.max(0, lock.expireTime.getTime() - lock.serverTime.getTime());
      throw new LockBusyError(
        lockName,
        lock ?? { workerName: null, lockTime: null, expireTime: null },
        retryAfter,
      );
    }
    this.observer.onChanged(lockName, null);
    return lockOf(answer.lease);
  }

  /**
   * Gives a live lease another end, later or earlier, or other metadata. Its token stays: its holder is the same.
   * @throws LockChangedError when that lease is over: then nothing was done
   */
  async edit(request: z.input<typeof editRequestSchema>): Promise<LockRecord> {
    const checked = parseRequest(editRequestSchema, request);
    const answer = settled(await this.store.desk.edit(checked));
    if (answer.outcome === 'changed') throw await this.#changed(checked.lockName);
    this.observer.onChanged(checked.lockName, answer.next);
    return (await this.#inspect(checked.lockName)) ?? lockOf(answer.lease);
  }

  /** Removes locks that are free and that nobody waits for. Returns the names of those. */
  async deleteReleased(request: z.input<typeof deleteReleasedSchema>): Promise<string[]> {
    const { lockNames, actor } = parseRequest(deleteReleasedSchema, request);
    return this.store.desk.deleteReleased(lockNames, actor);
  }

  /**
   * Marks expired leases as released and returns how many there were. They are free even before.
   * @param actor the operator who does it; recorded where there is one
   */
  async clearExpired(actor?: string): Promise<number> {
    return this.store.desk.clearExpired(
      actor === undefined ? undefined : parseRequest(workerNameSchema, actor, 'actor'),
    );
  }

  /** One page of the locks that match; by default the first 50, by name. */
  async list(query: z.input<typeof listQuerySchema> = {}): Promise<LockPage> {
    const checked = parseRequest(listQuerySchema, query, 'query');
    const [page, total] = await Promise.all([this.store.desk.page(checked), this.store.desk.count(checked)]);
    return { ...page, total };
  }

  /** @internal The same in two parts, for queries that the schema has been applied to. */
  page(checked: ListQuery): Promise<Pick<LockPage, 'items' | 'serverTime'>> {
    return this.store.desk.page(checked);
  }

  /** @internal */
  count(checked: LockFilter): Promise<number> {
    return this.store.desk.count(checked);
  }

  /** All locks that match, by name, a thousand at a time. */
  listAll(filter: z.input<typeof lockFilterSchema> = {}): AsyncIterable<LockRecord[]> {
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
  async groups(
    filter: z.input<typeof lockFilterSchema> = {},
  ): Promise<{ items: LockGroup[]; truncated: boolean }> {
    const checked: LockFilter = parseRequest(lockFilterSchema, filter, 'query');
    const groups = await this.store.desk.groups(checked, MAX_GROUPS + 1);
    return { items: groups.slice(0, MAX_GROUPS), truncated: groups.length > MAX_GROUPS };
  }

  countByState(): Promise<StateCounts> {
    return this.store.desk.countByState();
  }

  /** What happened to the lock, the newest first: by default the last 50 events. */
  async history(lockName: string, query: z.input<typeof historyQuerySchema> = {}): Promise<HistoryPage> {
    const name = parseRequest(lockNameSchema, lockName, 'lockName');
    const { limit, before } = parseRequest(historyQuerySchema, query, 'query');
    const records = await this.store.history.of(name, { limit: limit + 1, before });
    const items = records.slice(0, limit);
    return { items, next: records.length > limit ? items.at(-1)!.cursor : null };
  }

  async overview(range: Range): Promise<Overview> {
    const { range: length, step } = RANGES[range];
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
  changes(cursor: string | undefined, watched: readonly string[], limit: number): Promise<Changes> {
    return this.store.history.changes(cursor, watched, limit);
  }

  #heed<Answer extends ForceReleaseAnswer>(
    { lockName, actor, reason }: { lockName: string; actor: string; reason: string },
    answer: Answer,
  ): Answer {
    if (answer.outcome === 'forced') this.observer.onForced(answer.holder, { actor, reason });
    this.observer.onChanged(lockName, answer.outcome === 'forced' ? answer.next : null);
    return answer;
  }

  async #changed(lockName: string): Promise<Error> {
    const lock = await this.#inspect(lockName);
    return lock ? new LockChangedError(lock) : new LockNotFoundError(lockName);
  }

  async #inspect(lockName: string): Promise<LockRecord | null> {
    const [lock] = await this.store.inspect([lockName]);
    return lock!;
  }
}

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

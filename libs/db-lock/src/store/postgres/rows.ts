import type { LockMetadata } from '../../lease/metadata.js';
import type { AcquireRequest } from '../../lease/requests.js';
import type { LeaseRecord, ReleaseAnswer, RenewAnswer } from '../lock-store.js';
import { milliseconds, timeBetween, toNext, toTime, type Microseconds } from '../rows.js';
import type { NextInLine } from '../wait-queue.js';
import type { HeldRenewRequest } from './values.js';

/** A row that tells of one grant. */
export interface GrantRow {
  token: string;
  lock_time: Microseconds;
  version: string;
}

/** A lease that was granted just now. All that the request does not say itself follows from when that was. */
export function grantedLease(row: GrantRow, request: AcquireRequest): LeaseRecord {
  const { lockName, workerName, grantId, metadata, ttl } = request;
  const lockTime = toTime(row.lock_time);
  return {
    lockName,
    workerName,
    grantId,
    fencingToken: Number(row.token),
    lockTime,
    expireTime: new Date(lockTime.getTime() + ttl),
    metadata,
    serverTime: lockTime,
    timeLeft: ttl,
    version: row.version,
  };
}

/** The row that tells of all locks which `acquireReleased` took: lists, or null for none. */
export interface TakenRow {
  /** In the batch, from 1 on. */
  places: string | null;
  tokens: string | null;
  /** Null where each lock was taken at the time that its token says. */
  times: string | null;
  version: string | null;
}

/** The leases of the locks that were taken, each at the index of its request. What is not there was not taken. */
export function toTaken(row: TakenRow, batch: readonly AcquireRequest[]): Array<LeaseRecord | undefined> {
  const leases = new Array<LeaseRecord | undefined>(batch.length).fill(undefined);
  if (row.places === null) return leases;
  const version = row.version!;
  const places = numbersOf(row.places);
  const tokens = numbersOf(row.tokens!);
  const times = row.times === null ? tokens : numbersOf(row.times);
  const startOf = sharedDates();
  const endOf = sharedDates();
  for (const [at, place] of places.entries()) {
    const { lockName, workerName, grantId, metadata, ttl } = batch[place - 1]!;
    const lockTime = milliseconds(times[at]!);
    const taken = startOf(lockTime);
    // All that the request does not say itself follows from when it was taken.
    leases[place - 1] = {
      lockName,
      workerName,
      grantId,
      fencingToken: tokens[at]!,
      lockTime: taken,
      expireTime: endOf(lockTime + ttl),
      metadata,
      serverTime: taken,
      timeLeft: ttl,
      version,
    };
  }
  return leases;
}

/** Dates of whole milliseconds: the leases of a batch have few different times, and a Date takes more room than the rest. */
function sharedDates(): (milliseconds: number) => Date {
  let last = new Date(NaN);
  return (milliseconds) => {
    if (last.getTime() !== milliseconds) last = new Date(milliseconds);
    return last;
  };
}

const ZERO = 48;

/**
 * The whole numbers of a list with commas between, none of them negative, and without spaces. Read digit by digit: to split the text and
 * read each part takes far longer.
 */
function numbersOf(list: string): number[] {
  const numbers: number[] = [];
  let number = 0;
  for (let at = 0; at < list.length; at++) {
    const digit = list.charCodeAt(at) - ZERO;
    if (digit >= 0) number = number * 10 + digit;
    else {
      numbers.push(number);
      number = 0;
    }
  }
  numbers.push(number);
  return numbers;
}

/** The row that tells of all leases which `renewHeld` renewed: lists, or null for none. */
export interface RenewedRow {
  /** In the batch, from 1 on. */
  places: string | null;
  expire_times: string | null;
  /** As JSON, by place, of those that have any: an operator may have changed them. Null where none has. */
  metadata: string | null;
  server_time: Microseconds;
}

/** What became of the leases that were to be renewed, each at the index of its request. */
export function toRenewed(row: RenewedRow, batch: readonly HeldRenewRequest[]): RenewAnswer[] {
  const serverTime = toTime(row.server_time);
  const answers = batch.map((): RenewAnswer => ({ outcome: 'lost', serverTime }));
  if (row.places === null) return answers;
  const now = Number(row.server_time);
  const expireTimes = numbersOf(row.expire_times!);
  const endOf = sharedDates();
  const metadata = JSON.parse(row.metadata ?? '{}') as Record<number, LockMetadata | undefined>;
  for (const [at, place] of numbersOf(row.places).entries()) {
    const { lockName, grantId, held } = batch[place - 1]!;
    const { workerName, fencingToken, lockTime } = held;
    const expireTime = expireTimes[at]!;
    const lease: LeaseRecord = {
      lockName,
      workerName,
      grantId,
      fencingToken,
      lockTime,
      expireTime: endOf(milliseconds(expireTime)),
      metadata: metadata[place] ?? null,
      serverTime,
      timeLeft: timeBetween(now, expireTime),
    };
    answers[place - 1] = { outcome: 'renewed', lease };
  }
  return answers;
}

/** The row that tells of all leases which a release ended. */
export interface EndedRow {
  count: string;
  /** Theirs in the batch, from 1 on, as a list; null for none, and where all were ended. */
  places: string | null;
  /** Who waits for them: a list of a place and what `toNext` reads, with a space between; null for none. */
  next: string | null;
  /** How many of them were notified, as they wait on other servers: all of those, or none. */
  notified: string;
  server_time: Microseconds;
  /** Where the requests do not name them: likewise of a place and a grantId. */
  grant_ids?: string | null;
  /** Of those that were not ended, the places of leases that only look expired, perhaps: a list; null for none. */
  doubtful?: string | null;
}

/** What became of a lease that was to be ended. */
export type EndedAnswer =
  | Extract<ReleaseAnswer, { outcome: 'released' }>
  /** `isDoubtful`: it may be live still. */
  | (Extract<ReleaseAnswer, { outcome: 'lost' }> & { isDoubtful?: boolean });

/**
 * What became of the leases that were to be ended, each at the index of its request.
 * @param here the server that asked
 */
export function toEnded(
  row: EndedRow,
  batch: ReadonlyArray<{ grantId?: string }>,
  here: string,
): EndedAnswer[] {
  const serverTime = toTime(row.server_time);
  const grantIds = byIndex(row.grant_ids);
  const answers = batch.map(({ grantId }, index) => {
    return {
      outcome: 'released' as const,
      grantId: grantId ?? grantIds.get(index)!,
      next: null as NextInLine | null,
      serverTime,
    };
  });
  if (row.next)
    for (const [index, text] of byIndex(row.next)) {
      const next = toNext({ next: text })!;
      answers[index]!.next = next;
      if (row.notified !== '0' && next.server !== here) next.isNotified = true;
    }
  if (Number(row.count) === batch.length) return answers;
  const ended = byIndex(row.places);
  const doubtful = byIndex(row.doubtful);
  return answers.map((answer, index) =>
    ended.has(index)
      ? answer
      : { outcome: 'lost', serverTime, ...(doubtful.has(index) && { isDoubtful: true }) },
  );
}

/** A list of places in a batch, from 1 on, each with what is said of it after a space: by their indexes. */
function byIndex(list: string | null | undefined): Map<number, string> {
  return new Map(
    list?.split(',').map((item) => {
      const [place] = item.split(' ', 1) as [string];
      return [Number(place) - 1, item.slice(place.length + 1)];
    }),
  );
}

import { SHARED_GRANT, type SharedRequest } from '../lease/requests.js';
import type { Share } from '../lease/modes.js';
import { indexesByLock } from './batch.js';
import type { AcquireAnswer, ExpiredLease, HolderRecord, LeaseRecord, Sharing } from './lock-store.js';
import type { NextInLine } from './wait-queue.js';

/** A lock as an acquire in shared mode finds it, with its row locked, or unchanged until the grant is written. */
export interface SharedState {
  /** Who keeps everybody out: an exclusive lease, or nobody, for a while. */
  holder?: HolderRecord;
  /** The permits that are taken, by leases that are live or still keep others out. */
  permits: number;
  /** Who has the lock in shared mode: the newest of them, with the time until the first of them ends. */
  sharer?: HolderRecord;
  /** The live leases in shared mode of those who ask, by grantId. */
  own: ReadonlyMap<string, LeaseRecord>;
  /**
   * The first living waiter who is not among those who ask: nobody may pass. Absent where nobody waits, and where the lock has been
   * free for so long that it is kept for nobody.
   */
  first?: FirstWaiter;
}

/** The first in a lock's queue. */
export interface FirstWaiter extends NextInLine {
  ticket: number;
  /** The waiter as one who keeps a free lock from others. */
  record: HolderRecord;
  /** Of one who waits for an exclusive lease: null. */
  share: { permits: number; limit: number | null } | null;
}

export type SharedDecision =
  | { outcome: 'granted' }
  /** This grantId has the lease already. */
  | { outcome: 'repeated'; lease: LeaseRecord }
  /** The same request stands before it in the batch. */
  | { outcome: 'twin'; of: number }
  /** Undefined where those keep it busy who were granted the lock just now. */
  | { outcome: 'busy'; holder: HolderRecord | undefined };

export interface SharedDecisions {
  /** One for each request, at its index. */
  decisions: SharedDecision[];
  /** The indexes of the requests, of each lock in the order in which they were decided: tokens grow in that order. */
  order: number[];
  /** By lock: who waits on another server and may have the lock beside those who were granted it. */
  next: Map<string, NextInLine>;
}

/**
 * Who of a batch gets which lock: one after the other, as long as they fit. Those who wait come first, in the order of their tickets, and none of
 * them is passed; of those who only try, each is refused by itself.
 * @param states the lock of each name
 */
export function decideShared(
  requests: readonly SharedRequest[],
  states: ReadonlyMap<string, SharedState>,
): SharedDecisions {
  const decisions = new Array<SharedDecision>(requests.length);
  const order: number[] = [];
  const next = new Map<string, NextInLine>();
  for (const [lockName, indexes] of inOrder(requests)) {
    order.push(...indexes);
    const waiter = decideOne(requests, indexes, states.get(lockName)!, decisions);
    if (waiter) next.set(lockName, waiter);
  }
  return { decisions, order, next };
}

/** Decides the requests of one lock, and tells who else may have it. */
function decideOne(
  requests: readonly SharedRequest[],
  indexes: readonly number[],
  state: SharedState,
  decisions: SharedDecision[],
): NextInLine | undefined {
  const { first } = state;
  let { permits } = state;
  const decided = new Map<string, number>();
  /** One who waits is not passed. */
  let isStopped = false;
  for (const index of indexes) {
    const request = requests[index]!;
    const { grantId, share } = request;
    const twin = decided.get(grantId);
    if (twin !== undefined) {
      decisions[index] = { outcome: 'twin', of: twin };
      continue;
    }
    decided.set(grantId, index);
    const lease = state.own.get(grantId);
    if (lease) decisions[index] = { outcome: 'repeated', lease };
    else if (state.holder) decisions[index] = { outcome: 'busy', holder: state.holder };
    else if (first && placeOf(request) > first.ticket)
      decisions[index] = { outcome: 'busy', holder: permits > 0 ? state.sharer : first.record };
    else if (isStopped || !fits(share, permits)) {
      decisions[index] = { outcome: 'busy', holder: state.sharer };
      if (request.ticket !== undefined) isStopped = true;
    } else {
      decisions[index] = { outcome: 'granted' };
      permits += share.permits;
    }
  }
  const mayHaveIt = first?.share && permits > 0 && !isStopped && fits(first.share, permits);
  return mayHaveIt ? { server: first.server, grantId: first.grantId } : undefined;
}

/** Whether so many permits fit beside those that are taken. */
export const fits = ({ permits, limit }: SharedRequest['share'], taken: number) =>
  limit === null || taken + permits <= limit;

/** Who waits without a place yet came after all who have one; who only tries comes after all who wait. */
const NO_PLACE = Number.MAX_SAFE_INTEGER;
const placeOf = ({ ticket }: SharedRequest) => (ticket === undefined ? Infinity : (ticket ?? NO_PLACE));

/** The indexes of each lock's requests, in the order in which they are decided. */
export function inOrder(requests: readonly SharedRequest[]): Map<string, number[]> {
  const byName = indexesByLock(requests);
  for (const indexes of byName.values())
    indexes.sort((one, other) => compare(placeOf(requests[one]!), placeOf(requests[other]!)));
  return byName;
}

const compare = (one: number, other: number) => (one < other ? -1 : one > other ? 1 : 0);

/** What was written of what was decided. */
export interface SharedWriting {
  /** The lease of a request that was granted; of a repeated one, as it is now. By the request's index. */
  leaseOf: (index: number) => LeaseRecord;
  /** By lock: the leases that grants came after and that were never released. */
  expired: ReadonlyMap<string, readonly ExpiredLease[]>;
}

/** The answers to what was decided, once it is written. */
export function sharedAnswers(
  requests: readonly SharedRequest[],
  { decisions, order, next }: SharedDecisions,
  { leaseOf, expired }: SharedWriting,
): AcquireAnswer[] {
  /** The lease that each lock was granted last. */
  const newest = new Map<string, LeaseRecord>();
  const told = new Set<string>();
  for (const index of order)
    if (decisions[index]!.outcome === 'granted') newest.set(requests[index]!.lockName, leaseOf(index));
  const answers = decisions.map((decision, index): AcquireAnswer => {
    const { lockName } = requests[index]!;
    if (decision.outcome === 'repeated') return { outcome: 'granted', lease: leaseOf(index), repeated: true };
    if (decision.outcome !== 'granted')
      return { outcome: 'busy', holder: holderOf(decision, newest.get(lockName)) };
    const alsoExpired = told.has(lockName) ? undefined : expired.get(lockName);
    told.add(lockName);
    return {
      outcome: 'granted',
      lease: leaseOf(index),
      repeated: false,
      alsoExpired,
      next: next.get(lockName) ?? null,
    };
  });
  // A twin has the answer of the one that was decided before it, though it may stand behind it in the batch.
  for (const [index, decision] of decisions.entries())
    if (decision.outcome === 'twin') answers[index] = asTwin(answers[decision.of]!);
  return answers;
}

function asTwin(answer: AcquireAnswer): AcquireAnswer {
  return answer.outcome === 'granted' ? { outcome: 'granted', lease: answer.lease, repeated: true } : answer;
}

/** Of a twin, this is replaced. */
function holderOf(decision: SharedDecision, newest: LeaseRecord | undefined): HolderRecord {
  const known = decision.outcome === 'busy' ? decision.holder : undefined;
  return known ?? (newest && sharerOf(newest))!;
}

/** A lease in shared mode as one that keeps others out: its key is not told. */
export function sharerOf({
  lockName,
  workerName,
  lockTime,
  expireTime,
  timeLeft,
  serverTime,
}: LeaseRecord): HolderRecord {
  return { lockName, workerName, grantId: SHARED_GRANT, lockTime, expireTime, timeLeft, serverTime };
}

/** What live leases take together. */
export function sharingOf(shares: readonly Share[]): Sharing {
  const limits = new Set(shares.flatMap(({ limit }) => limit ?? []));
  return {
    holders: shares.length,
    permits: shares.reduce((sum, { permits }) => sum + permits, 0),
    limits: [...limits].toSorted((one, other) => one - other),
  };
}

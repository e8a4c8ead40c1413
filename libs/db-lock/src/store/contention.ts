import type { AcquireRequest, SharedRequest } from '../lease/requests.js';
import type { AcquireAnswer, LockStore } from './lock-store.js';
import type { SharedLocks } from './shared-locks.js';

/**
 * Sends one contender a name to the store: the one who has waited longest, else the first. Those who asked for the same lock at the same time lose to whoever it
 * names: they were all waiting when the store decided. Only who repeats the holder's own grantId needs an answer of
 * its own.
 */
export function acquireOncePerName(
  store: LockStore,
  requests: readonly AcquireRequest[],
): Promise<AcquireAnswer[]> {
  const first = new Map<string, AcquireRequest>();
  for (const request of requests) {
    const rival = first.get(request.lockName);
    if (!rival || placeOf(request) < placeOf(rival)) first.set(request.lockName, request);
  }
  return first.size === requests.length ? store.acquire(requests) : acquireForFirst(store, requests, first);
}

/** @param first who contends for each name */
async function acquireForFirst(
  store: LockStore,
  requests: readonly AcquireRequest[],
  first: ReadonlyMap<string, AcquireRequest>,
): Promise<AcquireAnswer[]> {
  const contenders = [...first.values()];
  const decided = new Map<string, AcquireAnswer>();
  (await store.acquire(contenders)).forEach((answer, index) =>
    decided.set(contenders[index]!.lockName, answer),
  );

  const holderOf = (answer: AcquireAnswer) =>
    answer.outcome === 'granted' ? answer.lease : answer.outcome === 'busy' ? answer.holder : undefined;
  const repeats = requests.filter(
    (request) =>
      first.get(request.lockName) !== request &&
      holderOf(decided.get(request.lockName)!)?.grantId === request.grantId,
  );
  const repeated = new Map<AcquireRequest, AcquireAnswer>();
  if (repeats.length > 0)
    (await store.acquire(repeats)).forEach((answer, index) => repeated.set(repeats[index]!, answer));

  return requests.map((request) => {
    const answer = decided.get(request.lockName)!;
    if (first.get(request.lockName) === request) return answer;
    const holder = holderOf(answer);
    return repeated.get(request) ?? (holder ? { outcome: 'busy', holder } : answer);
  });
}

/** Who waits in the lock's queue comes before who doesn't. */
const placeOf = ({ ticket }: AcquireRequest): number => ticket ?? Infinity;

/**
 * Sends one request of each grantId to the store, for each lock: the one that has waited longest, else the first. A repeat of what was granted
 * is asked for after that, so that it leaves its mark on the lease: or who asked first, and has gone, would give back what the other has got.
 */
export async function acquireOncePerGrant(
  locks: SharedLocks,
  requests: readonly SharedRequest[],
): Promise<AcquireAnswer[]> {
  const first = new Map<string, SharedRequest>();
  for (const request of requests) {
    const twin = first.get(keyOf(request));
    if (!twin || placeInQueue(request) < placeInQueue(twin)) first.set(keyOf(request), request);
  }
  if (first.size === requests.length) return locks.acquire(requests);
  const isFirst = (request: SharedRequest) => first.get(keyOf(request)) === request;
  const contenders = requests.filter(isFirst);
  const decided = new Map<string, AcquireAnswer>();
  (await locks.acquire(contenders)).forEach((answer, index) =>
    decided.set(keyOf(contenders[index]!), answer),
  );
  const repeats = requests.filter(
    (request) => !isFirst(request) && decided.get(keyOf(request))!.outcome === 'granted',
  );
  const repeated = repeats.length > 0 ? await locks.acquire(repeats) : [];
  const again = new Map(repeats.map((request, index) => [request, repeated[index]!]));
  return requests.map((request) => again.get(request) ?? decided.get(keyOf(request))!);
}

const keyOf = ({ lockName, grantId }: SharedRequest) => `${grantId} ${lockName}`;

/** Who only tries comes after who waits, and has no place yet. */
const placeInQueue = ({ ticket }: SharedRequest) =>
  ticket === undefined ? Infinity : (ticket ?? Number.MAX_SAFE_INTEGER);

import { randomUUID } from 'node:crypto';
import type { HistoryEntry } from '../../libs/db-lock/src/store/history-store.js';
import type { LockFilter, LockDesk } from '../../libs/db-lock/src/store/lock-desk.js';
import type { LeaseRecord, LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import type { Share } from '../../libs/db-lock/src/lease/modes.js';
import type { AcquireRequest, RenewRequest, SharedRequest } from '../../libs/db-lock/src/lease/requests.js';
import type { QueuePlace, Waiter, WaitQueue } from '../../libs/db-lock/src/store/wait-queue.js';

/** As long as a lease must live. */
export const HOUR = 3_600_000;

export const SERVER = randomUUID();

export const OTHER_SERVER = randomUUID();

/** Something that has just happened, to be recorded. */
export const entry = (lockName: string, options: Partial<HistoryEntry> = {}): HistoryEntry => ({
  lockName,
  event: 'acquired',
  workerName: 'worker',
  grantId: randomUUID(),
  fencingToken: 1,
  details: null,
  age: 0,
  time: null,
  ...options,
});

/** Asks for a lease of an hour. */
export const acquisition = (lockName: string, options: Partial<AcquireRequest> = {}): AcquireRequest => ({
  lockName,
  workerName: 'worker',
  grantId: randomUUID(),
  ttl: HOUR,
  metadata: null,
  ...options,
});

/** Grants a lease. */
export async function lease(
  store: LockStore,
  lockName: string,
  options: Partial<AcquireRequest> = {},
): Promise<LeaseRecord> {
  const [answer] = await store.acquire([acquisition(lockName, options)]);
  if (answer?.outcome !== 'granted') throw new Error(`${lockName} was not granted: ${answer?.outcome}`);
  return answer.lease;
}

/** Asks for a lease of an hour, in shared mode. */
export const sharing = (
  lockName: string,
  { permits = 1, limit = null, ...options }: Partial<Share & Omit<AcquireRequest, 'share'>> = {},
): SharedRequest => ({ ...acquisition(lockName, options), share: { permits, limit } });

/** Grants a lease in shared mode. */
export async function shared(
  store: LockStore,
  lockName: string,
  options: Parameters<typeof sharing>[1] = {},
): Promise<LeaseRecord> {
  const [answer] = await store.shared!.acquire([sharing(lockName, options)]);
  if (answer?.outcome !== 'granted') throw new Error(`${lockName} was not granted: ${answer?.outcome}`);
  return answer.lease;
}

/** A lease, in whatever version: some stores tell another one after time has passed in a test. */
export const keyOf = ({ lockName, grantId }: Pick<LeaseRecord, 'lockName' | 'grantId'>) => ({
  lockName,
  grantId,
});

/** Grants a lease, and ends it. */
export async function released(store: LockStore, lockName: string): Promise<LeaseRecord> {
  const ended = await lease(store, lockName);
  await store.release([ended]);
  return ended;
}

export const renewal = (
  { lockName, grantId }: Pick<LeaseRecord, 'lockName' | 'grantId'>,
  options: Partial<RenewRequest> = {},
): RenewRequest => ({ lockName, grantId, ttl: 2 * HOUR, ...options });

export const waiter = (lockName: string, options: Partial<Waiter> = {}): Waiter => ({
  lockName,
  workerName: 'waiter',
  grantId: randomUUID(),
  ticket: null,
  ...options,
});

/** Puts somebody at the end of a queue. */
export async function joined(
  queue: WaitQueue,
  lockName: string,
  { server = SERVER, ...options }: Partial<Waiter> & { server?: string } = {},
): Promise<QueuePlace & { workerName: string }> {
  const who = waiter(lockName, options);
  const [ticket] = await queue.join(server, [who]);
  return { ...who, ticket: ticket! };
}

/** The names of all that match, in the order of a page. */
export async function namesOf(
  desk: LockDesk,
  filter: LockFilter & Partial<Parameters<LockDesk['page']>[0]>,
): Promise<string[]> {
  const { items } = await desk.page({
    sort: 'lockName',
    order: 'asc',
    page: 1,
    pageSize: 200,
    ...filter,
  });
  return items.map(({ lockName }) => lockName);
}

let names = 0;

/** A name, or the beginning of some, that no other test uses. */
export const fresh = (what: string): string => `${what}-${++names}`;

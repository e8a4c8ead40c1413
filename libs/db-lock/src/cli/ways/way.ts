import type { z } from 'zod';
import type { endedLeaseJson, historyJson } from '../../admin/schemas.js';
import type { LockClient } from '../../client/lock-client.js';
import type { LockTransport } from '../../client/lock-transport.js';
import type { inspectedLockJson, lockJson, lockPageJson } from '../../server/schemas.js';

export type LockJson = z.output<typeof lockJson>;
export type InspectedLockJson = z.output<typeof inspectedLockJson>;
export type LockPageJson = z.output<typeof lockPageJson>;
export type HistoryJson = z.output<typeof historyJson>;
export type EndedLeaseJson = z.output<typeof endedLeaseJson>;

/** Which locks to list, one page of them. */
export type ListQuery = Partial<Record<'search' | 'state' | 'prefix' | 'sort' | 'order', string>> &
  Record<'page' | 'pageSize', number>;

/** Which of the events of a lock to tell. */
export interface HistoryQuery {
  limit: number;
  before?: string;
}

/** Which leases to end, and why. */
export interface ForceReleaseRequest {
  reason: string;
  fencingToken?: number;
  mode?: 'shared';
}

/** What who watches is told. */
export type Change =
  /** What changes from now on is told. */
  | { type: 'hello' }
  | { type: 'changes'; locks: LockJson[]; removed: string[] }
  /** More has changed than is told of each. */
  | { type: 'many' | 'refresh' }
  | { type: 'tick' | 'again' };

/** A way to the locks: by a lock server, or in their database. What it answers is the same JSON both ways. */
export interface Way extends AsyncDisposable {
  /** Where it leads, for people: never with a password. */
  readonly to: string;
  readonly client: LockClient;
  /** The same for who has no lease at hand, but its key. */
  readonly transport: LockTransport;
  page(query: ListQuery): Promise<LockPageJson>;
  /** Null where there is no such lock. */
  inspect(lockName: string): Promise<InspectedLockJson | null>;
  history(lockName: string, query: HistoryQuery): Promise<HistoryJson>;
  forceRelease(lockName: string, request: ForceReleaseRequest): Promise<EndedLeaseJson>;
  /** Until the signal aborts; it may end sooner, for who watches to begin anew. */
  changes(signal: AbortSignal): AsyncIterable<Change>;
  /** @throws StoreUnavailableError */
  ping(): Promise<void>;
}

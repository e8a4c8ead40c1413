import type { HistoryEntry, HistoryEvent } from './history-store.js';

/** What is known of the grant of a lease. */
export interface KnownGrant {
  workerName: string | null;
  fencingToken: number | null;
  /** What happened last to it. */
  event: HistoryEvent;
}

/** Whether somebody ends a lease on another server than it began: what is to be recorded of it is to be looked up. */
export const needsGrant = <Entry extends HistoryEntry>(entry: Entry): entry is Entry & { grantId: string } =>
  entry.workerName === null && entry.grantId !== null;

/**
 * What is to be recorded, with what is known of the grant. Nothing was lost by who had released it, nor where there is no such lock: then undefined.
 * @param isThere whether there is such a lock
 */
export function completed(
  entry: HistoryEntry,
  known: KnownGrant | undefined,
  isThere: boolean,
): HistoryEntry | undefined {
  const { event, workerName, fencingToken } = entry;
  if (event === 'lost' && workerName === null && !(known ? known.event !== 'released' : isThere))
    return undefined;
  return {
    ...entry,
    workerName: workerName ?? known?.workerName ?? null,
    fencingToken: fencingToken ?? known?.fencingToken ?? null,
  };
}

import type { QueryClient } from '@tanstack/react-query';
import type { Changes, Lock, LockPage, LockWithQueue } from '../api/contract';
import { inspect, keys, MOST_INSPECTED } from '../api/queries';

/** Puts changed locks in place of the ones that are shown. Answers whether the list must be read again. */
export function showChanges(
  client: QueryClient,
  { locks, removed }: Pick<Changes, 'locks' | 'removed'>,
): boolean {
  const changed = new Map(locks.map((lock) => [lock.lockName, lock]));
  const gone = new Set(removed);
  client.setQueriesData<LockPage>({ queryKey: keys.lists }, (page) => page && pageWith(page, changed, gone));
  for (const lock of locks) {
    client.setQueryData<LockWithQueue>(keys.lock(lock.lockName), (shown) => shown && { ...shown, ...lock });
  }
  for (const lockName of new Set([...changed.keys(), ...gone])) {
    void client.invalidateQueries({ queryKey: keys.lock(lockName) });
    void client.invalidateQueries({ queryKey: keys.history(lockName) });
  }
  return changed.size > 0 || gone.size > 0;
}

/**
 * Asks for those locks only that are shown, which costs the server little, however many change. Answers whether it asked: where
 * none is shown, there is nothing to ask for.
 */
export async function readShown(client: QueryClient): Promise<boolean> {
  const lockNames = [...new Set(shownLocks(client).map(({ lockName }) => lockName))];
  if (lockNames.length === 0) return false;
  const { locks, unknown } = await inspect(lockNames.slice(0, MOST_INSPECTED));
  showChanges(client, { locks, removed: unknown });
  return true;
}

/** Whether a lease that is shown as held should be over by then: it may have been renewed. */
export function endsBy(client: QueryClient, time: number): boolean {
  const ends = (expireTime: string) => Date.parse(expireTime) <= time;
  return shownLocks(client).some(
    ({ state, expireTime, holders = [] }) =>
      state === 'held' && (ends(expireTime) || holders.some((holder) => ends(holder.expireTime))),
  );
}

function shownLocks(client: QueryClient): Array<Lock & Partial<LockWithQueue>> {
  const pages = client.getQueriesData<LockPage>({ queryKey: keys.lists, type: 'active' });
  const single = client.getQueriesData<LockWithQueue>({ queryKey: keys.locks, type: 'active' });
  return [...pages.flatMap(([, page]) => page?.items ?? []), ...single.flatMap(([, lock]) => lock ?? [])];
}

function pageWith(page: LockPage, changed: ReadonlyMap<string, Lock>, gone: ReadonlySet<string>): LockPage {
  if (!page.items.some(({ lockName }) => changed.has(lockName) || gone.has(lockName))) return page;
  const items = page.items
    .filter(({ lockName }) => !gone.has(lockName))
    .map((lock) => changed.get(lock.lockName) ?? lock);
  return { ...page, items, total: page.total - (page.items.length - items.length) };
}

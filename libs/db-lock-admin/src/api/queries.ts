import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
  type QueryClient,
} from '@tanstack/react-query';
import { get, lockPath, send } from './client';
import type {
  Groups,
  HistoryPage,
  InspectedLocks,
  LockFilter,
  LockPage,
  LockQuery,
  LockWithQueue,
  Overview,
  Range,
  Session,
  StateCounts,
} from './contract';
import { ProblemError } from './problem';

/** The keys under which answers are kept; the live feed patches and invalidates by them. */
export const keys = {
  session: ['session'] as const,
  lists: ['locks'] as const,
  list: (query: LockQuery) => ['locks', query] as const,
  groupings: ['groups'] as const,
  groups: (filter: LockFilter) => ['groups', filter] as const,
  counts: ['counts'] as const,
  locks: ['lock'] as const,
  lock: (lockName: string) => ['lock', lockName] as const,
  history: (lockName: string) => ['history', lockName] as const,
  overviews: ['overview'] as const,
  overview: (range: Range) => ['overview', range] as const,
};

/** A refusal stays one; what passes is asked again twice. */
export function retry(failures: number, error: unknown): boolean {
  if (error instanceof ProblemError && error.status >= 400 && error.status < 500) return false;
  return failures < 2;
}

export function useSessionQuery() {
  return useQuery({
    queryKey: keys.session,
    queryFn: ({ signal }) => get<Session>('session', {}, signal),
    staleTime: Infinity,
  });
}

export function useLocks(query: LockQuery) {
  return useQuery({
    queryKey: keys.list(query),
    queryFn: ({ signal }) => get<LockPage>('locks', { ...query }, signal),
    placeholderData: keepPreviousData,
  });
}

export function useGroups(filter: LockFilter, enabled: boolean) {
  return useQuery({
    queryKey: keys.groups(filter),
    queryFn: ({ signal }) => get<Groups>('groups', { ...filter }, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useLock(lockName: string) {
  return useQuery({
    queryKey: keys.lock(lockName),
    queryFn: ({ signal }) => get<LockWithQueue>(lockPath(lockName), {}, signal),
  });
}

export function useHistory(lockName: string, enabled: boolean) {
  return useInfiniteQuery({
    queryKey: keys.history(lockName),
    queryFn: ({ pageParam, signal }) =>
      get<HistoryPage>(`${lockPath(lockName)}/history`, { limit: 50, before: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    enabled,
  });
}

export function useOverview(range: Range) {
  return useQuery({
    queryKey: keys.overview(range),
    queryFn: ({ signal }) => get<Overview>('overview', { range }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: range === '1h' ? 15_000 : 60_000,
  });
}

/** How many locks are in which state, over all names; a number beside a filter may be half a minute old. */
export function useStateCounts(enabled: boolean) {
  return useQuery({
    queryKey: keys.counts,
    queryFn: ({ signal }) => get<StateCounts>('counts', {}, signal),
    staleTime: 30_000,
    refetchInterval: 30_000,
    enabled,
  });
}

/** The most locks that the server inspects at a time. */
export const MOST_INSPECTED = 200;

/** Several locks as they are now. */
export function inspect(lockNames: readonly string[]): Promise<InspectedLocks> {
  return send<InspectedLocks>('POST', 'inspect', { lockNames });
}

/** Everything that an act may have changed. */
export async function readAgain(client: QueryClient): Promise<void> {
  await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.session[0] });
}

/** Reads whatever is on the screen again. */
export function useRefresh(): () => void {
  const client = useQueryClient();
  return () => {
    void client.invalidateQueries();
  };
}

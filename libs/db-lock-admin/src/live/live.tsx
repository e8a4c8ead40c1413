import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { createContext, use, useEffect, useState, type ReactNode } from 'react';
import { isStatus } from '../api/problem';
import { keys, readAgain } from '../api/queries';
import { endsBy, readShown, showChanges } from './changed-locks';
import { ChangesFeed, type FeedState } from './changes-feed';
import { useNow } from './now';
import { paced } from './pace';
import { serverClock } from './server-clock';

const LIST_PACE = 5000;
/** Where more changes than is worth telling: how often the shown locks are asked for, and how often everything is. */
const SHOWN_PACE = 3000;
const MANY_PACE = 30_000;
/** How often the shown locks are asked for when nothing is told. */
const ENDS_PACE = 10_000;
/** How often the page asks by itself while the stream is down. */
const POLL = 15_000;
/** Data that were not heard of for longer than this are stale. */
const STALE = 20_000;

export type LiveState =
  { kind: 'live' | 'connecting' } | { kind: 'polling'; every: number } | { kind: 'stale'; since: number };

const Live = createContext<FeedState>('connecting');

/** The database's time when anything was last heard from the server, and when anything was last read. */
let heardAt = NaN;
let readAt = NaN;
/** Whether the last read failed: a stream that is open tells nothing of whether what is shown can still be read. */
let failing = false;

function wasRead(): void {
  readAt = serverClock.now();
  heardAt = readAt;
  failing = false;
}

/** That there is no such lock (any more) is an answer. */
const isFailure = (error: unknown) => !isStatus(error, 404) && !isStatus(error, 400);

async function readShownLocks(client: QueryClient): Promise<void> {
  try {
    if (await readShown(client)) wasRead();
  } catch (error) {
    // The next time may do.
    failing ||= isFailure(error);
  }
}

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [feedState, setFeedState] = useState<FeedState>('connecting');

  useEffect(() => {
    const heard = () => {
      heardAt = serverClock.now();
    };
    const readLists = paced(LIST_PACE, () => {
      void client.invalidateQueries({ queryKey: keys.lists });
      void client.invalidateQueries({ queryKey: keys.groupings });
      void client.invalidateQueries({ queryKey: keys.overviews });
    });
    const readEverything = () => {
      void readAgain(client);
    };
    const readAll = paced(MANY_PACE, readEverything);
    const readShownSoon = paced(SHOWN_PACE, () => {
      void readShownLocks(client);
    });
    const feed = new ChangesFeed({
      state: (state) => {
        if (state === 'live') heard();
        setFeedState(state);
      },
      resumed: readEverything,
      changes: (changes) => {
        if (showChanges(client, changes)) readLists();
      },
      readAgain: () => {
        readShownSoon();
        readAll();
      },
    });
    const unsubscribe = client.getQueryCache().subscribe((event) => {
      if (event.type !== 'updated') return;
      if (event.action.type === 'success') wasRead();
      if (event.action.type === 'error' && isFailure(event.action.error)) failing = true;
    });
    feed.start();
    return () => {
      feed.stop();
      unsubscribe();
    };
  }, [client]);

  // Renewals are told of only now and then, so the ends of the shown leases are asked for.
  useEffect(() => {
    if (feedState !== 'live') return undefined;
    let asked = performance.now();
    const timer = setInterval(() => {
      const wait = endsBy(client, serverClock.now() + SHOWN_PACE) ? SHOWN_PACE : ENDS_PACE;
      if (document.hidden || performance.now() - asked < wait) return;
      asked = performance.now();
      void readShownLocks(client);
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [client, feedState]);

  useEffect(() => {
    if (feedState !== 'down') return undefined;
    const timer = setInterval(() => {
      void readAgain(client);
    }, POLL);
    return () => {
      clearInterval(timer);
    };
  }, [client, feedState]);

  return <Live value={feedState}>{children}</Live>;
}

/** How current the page is. */
export function useLiveState(): LiveState {
  const feedState = use(Live);
  const now = useNow();
  if (failing && feedState === 'live') return { kind: 'stale', since: readAt };
  if (feedState === 'live') return { kind: 'live' };
  if (now - heardAt > STALE) return { kind: 'stale', since: heardAt };
  return feedState === 'down' ? { kind: 'polling', every: POLL } : { kind: 'connecting' };
}

import { useMemo, useState } from 'react';
import type { Lock } from '../api/contract';

/** What one action may be about. */
export const MOST_SELECTED = 200;

export interface Selection {
  /** As they were last shown. */
  locks: Lock[];
  has: (lockName: string) => boolean;
  toggle: (lock: Lock) => void;
  setAll: (locks: Lock[], selected: boolean) => void;
  clear: () => void;
}

/** The selected locks, over all pages; those on this page as they are now, for an action is about what the operator sees. */
export function useSelection(shown: readonly Lock[]): Selection {
  const [kept, setKept] = useState<ReadonlyMap<string, Lock>>(new Map());

  return useMemo(() => {
    const now = new Map(shown.map((lock) => [lock.lockName, lock]));
    const locks = [...kept.values()].map((lock) => now.get(lock.lockName) ?? lock);
    const change = (edit: (selected: Map<string, Lock>) => void) => {
      const selected = new Map(locks.map((lock) => [lock.lockName, lock]));
      edit(selected);
      setKept(new Map([...selected].slice(0, MOST_SELECTED)));
    };
    return {
      locks,
      has: (lockName) => kept.has(lockName),
      toggle: (lock) => {
        change((selected) => {
          if (!selected.delete(lock.lockName)) selected.set(lock.lockName, lock);
        });
      },
      setAll: (all, wanted) => {
        change((selected) => {
          for (const lock of all) {
            if (wanted) selected.set(lock.lockName, lock);
            else selected.delete(lock.lockName);
          }
        });
      },
      clear: () => {
        setKept(new Map());
      },
    };
  }, [kept, shown]);
}

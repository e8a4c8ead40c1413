import { useMemo, useState } from 'react';
import type { Lock } from '../api/contract';

/** What one action may be about. */
export const MOST_SELECTED = 200;

export interface Selection {
  /** As they were last shown. */
  locks: Lock[];
  /** How many of them are not on this page. */
  notShown: number;
  has: (lockName: string) => boolean;
  toggle: (lock: Lock) => void;
  setAll: (locks: Lock[], selected: boolean) => void;
  clear: () => void;
}

/** Whoever looks at a lock comes back to the list as it was. */
let remembered: ReadonlyMap<string, Lock> = new Map();

/** The selected locks, over all pages; those on this page as they are now, for an action is about what the operator sees. */
export function useSelection(shown: readonly Lock[]): Selection {
  const [kept, setKept] = useState(remembered);

  return useMemo(() => {
    const now = new Map(shown.map((lock) => [lock.lockName, lock]));
    const locks = [...kept.values()].map((lock) => now.get(lock.lockName) ?? lock);
    const keep = (selected: ReadonlyMap<string, Lock>) => {
      remembered = selected;
      setKept(selected);
    };
    const change = (edit: (selected: Map<string, Lock>) => void) => {
      const selected = new Map(locks.map((lock) => [lock.lockName, lock]));
      edit(selected);
      keep(new Map([...selected].slice(0, MOST_SELECTED)));
    };
    return {
      locks,
      notShown: locks.filter(({ lockName }) => !now.has(lockName)).length,
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
        keep(new Map());
      },
    };
  }, [kept, shown]);
}

import { createContext, use, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import type { Lock } from '../api/contract';
import type { DialogState } from '../ui/dialog';
import { focusedElement, giveFocusBack } from '../ui/focus';
import type { LeaseView } from '../ui/lease-view';
import { ClearDialog } from './clear-dialog';
import { CreateDialog } from './create-dialog';
import { DeleteDialog } from './delete-dialog';
import { EditDialog } from './edit-dialog';
import { ForceAllDialog } from './force-all-dialog';
import { ForceDialog } from './force-dialog';

/** What an operator may be about to do. The locks are as the operator saw them. */
export type Action =
  | { kind: 'create'; lockName?: string }
  | { kind: 'clear' }
  | { kind: 'edit' | 'force'; lock: LeaseView }
  | { kind: 'force-all' | 'delete'; locks: Lock[]; onDone: () => void };

type Begin = (action: Action) => void;

const BeginContext = createContext<Begin | null>(null);

/** Opens the dialog of an action. */
export function useBegin(): Begin {
  const begin = use(BeginContext);
  if (begin === null) throw new Error('useBegin() needs an ActionsProvider above it');
  return begin;
}

export function ActionsProvider({ children }: { children: ReactNode }) {
  const [action, setAction] = useState<Action | null>(null);
  const [count, setCount] = useState(0);
  /** Which of the dialogs is open: an answer that comes late must not close another one. */
  const [open, setOpen] = useState(0);
  const opener = useRef<HTMLElement>(null);

  const begin = useMemo<Begin>(() => {
    let begun = 0;
    return (next) => {
      begun += 1;
      opener.current = focusedElement();
      setAction(next);
      setCount(begun);
      setOpen(begun);
    };
  }, []);
  const state: DialogState = {
    opened: open === count,
    onClose: () => {
      setOpen((last) => (last === count ? 0 : last));
    },
  };
  const closed = count > 0 && !state.opened;
  useEffect(() => (closed ? giveFocusBack(opener.current) : undefined), [closed]);

  return (
    <BeginContext value={begin}>
      {children}
      {/* A dialog starts anew each time, and stays while it fades. */}
      {action && <ActionDialog key={count} action={action} {...state} />}
    </BeginContext>
  );
}

function ActionDialog({ action, ...state }: { action: Action } & DialogState) {
  switch (action.kind) {
    case 'create':
      return <CreateDialog {...state} lockName={action.lockName} />;
    case 'clear':
      return <ClearDialog {...state} />;
    case 'edit':
      return <EditDialog {...state} lock={action.lock} />;
    case 'force':
      return <ForceDialog {...state} lock={action.lock} />;
    case 'force-all':
      return <ForceAllDialog {...state} locks={action.locks} onDone={action.onDone} />;
    case 'delete':
      return <DeleteDialog {...state} locks={action.locks} onDone={action.onDone} />;
  }
}

import { deleteReleased } from '../api/actions';
import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { Ago } from '../ui/time';
import { announce } from '../ui/toasts';
import { visibleText } from '../ui/visible-text';
import classes from './fields.module.css';
import { useAction } from './use-action';

/** How many locks a message names. */
const MOST_NAMED = 3;

interface DeleteDialogProps extends DialogState {
  locks: Lock[];
  onDone: () => void;
}

/** Deletes the rows of locks that nobody holds. */
export function DeleteDialog({ locks, onDone, ...state }: DeleteDialogProps) {
  const { t, formats } = useLanguage();
  const namesOf = (kept: string[]) => {
    const more = kept.length - MOST_NAMED;
    const names = kept.slice(0, MOST_NAMED).map(visibleText);
    return formats.list(more > 0 ? [...names, t('delete.others', { count: more })] : names);
  };
  const lockNames = locks.map(({ lockName }) => lockName);
  const deletion = useAction(deleteReleased, {
    title: t('action.delete'),
    opened: state.opened,
    lockNames: () => lockNames,
    onSuccess: ({ deleted, kept }) => {
      if (deleted.length > 0) announce(t('delete.done', { count: deleted.length }));
      if (kept.length > 0) {
        announce(t('delete.kept', { count: kept.length, locks: namesOf(kept) }), 'warning');
      }
      if (deleted.length > 0) onDone();
      state.onClose();
    },
  });
  return (
    <Dialog {...state} title={t('delete.title', { count: locks.length })} busy={deletion.isPending}>
      <DialogForm
        onSubmit={() => {
          deletion.mutate(lockNames);
        }}
        onCancel={state.onClose}
        submitLabel={t('delete.submit', { count: locks.length })}
        danger
        busy={deletion.isPending}
      >
        <p className={classes.text}>{t('delete.text')}</p>
        {/* It scrolls, so the keyboard must reach it. */}
        <ul className={classes.names} tabIndex={0} aria-label={t('delete.listLabel')}>
          {locks.map((lock) => (
            <li key={lock.lockName}>
              <Name value={lock.lockName} />
              <span className={classes.aside}>
                <Ago time={lock.expireTime} />
              </span>
            </li>
          ))}
        </ul>
        {deletion.error && <ProblemNotice error={deletion.error} act />}
      </DialogForm>
    </Dialog>
  );
}

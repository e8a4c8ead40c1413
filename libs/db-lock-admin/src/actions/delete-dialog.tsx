import { deleteReleased } from '../api/actions';
import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { Ago } from '../ui/time';
import { announce } from '../ui/toasts';
import classes from './fields.module.css';
import { useAction } from './use-action';

interface DeleteDialogProps extends DialogState {
  locks: Lock[];
  onDone: () => void;
}

/** Deletes the rows of locks that nobody holds. */
export function DeleteDialog({ locks, onDone, ...state }: DeleteDialogProps) {
  const { t } = useLanguage();
  const lockNames = locks.map(({ lockName }) => lockName);
  const deletion = useAction(deleteReleased, {
    lockNames: () => lockNames,
    onSuccess: ({ deleted, kept }) => {
      const deletedText = t('delete.done', { count: deleted.length });
      announce(
        kept.length === 0 ? deletedText : `${deletedText} ${t('delete.kept', { count: kept.length })}`,
      );
      onDone();
      state.onClose();
    },
  });
  return (
    <Dialog {...state} title={t('delete.title', { count: locks.length })}>
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
        {deletion.error && <ProblemNotice error={deletion.error} />}
      </DialogForm>
    </Dialog>
  );
}

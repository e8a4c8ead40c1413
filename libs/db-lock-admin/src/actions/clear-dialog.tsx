import { clearExpired } from '../api/actions';
import { useLanguage } from '../language/language';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { ProblemNotice } from '../ui/problem-notice';
import { announce } from '../ui/toasts';
import classes from './fields.module.css';
import { useAction } from './use-action';

/** Clears every lease that ran out and that nobody took over. */
export function ClearDialog(state: DialogState) {
  const { t } = useLanguage();
  const clearing = useAction(() => clearExpired(), {
    title: t('action.clearExpired'),
    opened: state.opened,
    lockNames: () => [],
    onSuccess: ({ cleared }) => {
      announce(t('clear.done', { count: cleared }));
      state.onClose();
    },
  });
  return (
    <Dialog {...state} title={t('action.clearExpired')} busy={clearing.isPending}>
      <DialogForm
        onSubmit={() => {
          clearing.mutate(undefined);
        }}
        onCancel={state.onClose}
        submitLabel={t('action.clearExpired')}
        busy={clearing.isPending}
      >
        <p className={classes.text}>{t('clear.text')}</p>
        {clearing.error && <ProblemNotice error={clearing.error} act />}
      </DialogForm>
    </Dialog>
  );
}

import { useState } from 'react';
import { forceRelease } from '../api/actions';
import type { Lock } from '../api/contract';
import { ProblemError } from '../api/problem';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { stateAt } from '../ui/lease-time';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { announce } from '../ui/toasts';
import { ChangedNotice } from './changed-notice';
import { ForceWarning } from './force-warning';
import { isAllAtFields, issueOf } from './issues';
import { LeaseFacts } from './lease-facts';
import { ReasonField } from './reason-field';
import { useAction } from './use-action';

/** Frees one lock against its holder's will. When another lease has it by now, the operator decides about that one anew. */
export function ForceDialog({ lock, ...state }: { lock: Lock } & DialogState) {
  const { t } = useLanguage();
  const [seen, setSeen] = useState(lock);
  const [before, setBefore] = useState<Lock | null>(null);
  const [reason, setReason] = useState('');
  const held = stateAt(seen, useNow()) === 'held';

  const release = useAction((why: string) => forceRelease(seen, why), {
    lockNames: () => [lock.lockName],
    onSuccess: ({ ended }) => {
      const slots = {
        lock: <Name value={lock.lockName} />,
        worker: <Name value={ended?.workerName ?? '–'} />,
      };
      announce(<T k={ended === null ? 'force.wasFree' : 'force.done'} slots={slots} />);
      state.onClose();
    },
  });

  const submit = () => {
    release.mutate(reason.trim(), {
      onError: (error) => {
        const changed = error instanceof ProblemError ? error.changedLock : null;
        if (changed === null) return;
        setBefore(seen);
        setSeen(changed);
      },
    });
  };
  const conflict = release.error instanceof ProblemError && release.error.changedLock !== null;

  return (
    <Dialog {...state} title={t('action.forceRelease')}>
      <DialogForm
        onSubmit={submit}
        onCancel={state.onClose}
        submitLabel={before !== null && held ? t('force.submitAnew') : t('action.forceRelease')}
        danger
        disabled={reason.trim() === '' || (before !== null && !held)}
        busy={release.isPending}
      >
        {before !== null && <ChangedNotice seen={before} lock={seen} />}
        <LeaseFacts lock={seen} />
        <ForceWarning count={1} />
        <ReasonField value={reason} onChange={setReason} error={issueOf(release.error, 'reason')} required />
        {release.error && !conflict && !isAllAtFields(release.error, ['reason']) && (
          <ProblemNotice error={release.error} />
        )}
      </DialogForm>
    </Dialog>
  );
}

import { useState } from 'react';
import { forceRelease, readLock } from '../api/actions';
import type { EndedLease, Lock } from '../api/contract';
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
import { WhoIsNext } from './who-is-next';

/** Frees one lock against its holder's will. When another lease has it by now, the operator decides about that one anew. */
export function ForceDialog({ lock, ...state }: { lock: Lock } & DialogState) {
  const { t } = useLanguage();
  const [seen, setSeen] = useState(lock);
  const [before, setBefore] = useState<Lock | null>(null);
  const [reason, setReason] = useState('');
  const held = stateAt(seen, useNow()) === 'held';

  const release = useAction((why: string) => forceRelease(seen, why), {
    title: t('action.forceRelease'),
    opened: state.opened,
    lockNames: () => [lock.lockName],
    onSuccess: ({ ended }) => {
      state.onClose();
      void announceEnd(lock.lockName, ended);
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
    <Dialog {...state} title={t('action.forceRelease')} busy={release.isPending}>
      <DialogForm
        onSubmit={submit}
        onCancel={state.onClose}
        submitLabel={before !== null && held ? t('force.submitAnew') : t('action.forceRelease')}
        danger
        disabled={reason.trim() === '' || (before !== null && !held)}
        busy={release.isPending}
      >
        {before !== null && <ChangedNotice key={seen.fencingToken} seen={before} lock={seen} />}
        <LeaseFacts lock={seen} />
        <WhoIsNext lockName={lock.lockName} />
        <ForceWarning count={1} />
        <ReasonField value={reason} onChange={setReason} error={issueOf(release.error, 'reason')} required />
        {release.error && !conflict && !isAllAtFields(release.error, ['reason']) && (
          <ProblemNotice error={release.error} act />
        )}
      </DialogForm>
    </Dialog>
  );
}

/** How often the lock is looked at until one of those who wait has it, and how many milliseconds lie between. */
const LOOKS = { most: 8, pause: 400 };

/** The lock as it is as soon as somebody has it or nobody waits; null where that can't be read. */
async function readOnceTaken(lockName: string): Promise<Lock | null> {
  for (let looks = 1; ; looks++) {
    const lock = await readLock(lockName).catch(() => null);
    if (lock === null || lock.state === 'held' || lock.waiting === 0 || looks === LOOKS.most) return lock;
    await new Promise((resolve) => setTimeout(resolve, LOOKS.pause));
  }
}

/** Says who has lost the lock, and who has it now, as far as that can be known. */
async function announceEnd(lockName: string, ended: EndedLease | null): Promise<void> {
  const lock = <Name value={lockName} />;
  if (ended === null) {
    announce(<T k="force.wasFree" slots={{ lock }} />);
    return;
  }
  const worker = <Name value={ended.workerName} />;
  const now = await readOnceTaken(lockName);
  if (now?.state === 'held' && now.workerName !== null) {
    announce(<T k="force.doneNext" slots={{ lock, worker, next: <Name value={now.workerName} /> }} />);
  } else {
    announce(<T k={now?.waiting === 0 ? 'force.doneFree' : 'force.done'} slots={{ lock, worker }} />);
  }
}

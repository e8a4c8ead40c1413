import { Button } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { forceReleaseAll } from '../api/actions';
import type { ForceReleaseAnswer, Lock } from '../api/contract';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import dialogClasses from '../ui/dialog.module.css';
import { stateAt } from '../ui/lease-time';
import { targetOf } from '../ui/lease-view';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { Ago } from '../ui/time';
import { announce } from '../ui/toasts';
import classes from './fields.module.css';
import { ForceWarning } from './force-warning';
import { issueOf, isAllAtFields } from './issues';
import { ReasonField } from './reason-field';
import { useAction } from './use-action';

interface ForceAllDialogProps extends DialogState {
  locks: Lock[];
  onDone: () => void;
}

/** Frees the selected locks. Those that another lease has by now are shown, for the operator to decide about anew. */
export function ForceAllDialog({ locks, onDone, ...state }: ForceAllDialogProps) {
  const { t } = useLanguage();
  const [seen, setSeen] = useState(locks);
  const [reason, setReason] = useState('');
  const [answers, setAnswers] = useState<ForceReleaseAnswer[] | null>(null);

  const release = useAction((why: string) => forceReleaseAll(seen.map(targetOf), why), {
    title: t('force.titleAll', { count: seen.length }),
    opened: state.opened,
    lockNames: () => seen.map(({ lockName }) => lockName),
    onSuccess: (answer) => {
      onDone();
      const forced = answer.answers.filter(({ outcome }) => outcome === 'forced').length;
      const leases = answer.answers.reduce((sum, each) => sum + each.leases, 0);
      if (forced > 0)
        announce(t(leases > forced ? 'force.doneAllLeases' : 'force.doneAll', { count: forced, leases }));
      const left = answer.answers.length - forced;
      if (left === 0) state.onClose();
      else if (state.opened) setAnswers(answer.answers);
      else announce(t('force.leftOver', { count: left }), 'warning');
    },
  });

  const decideAnew = (changed: Lock[]) => {
    setSeen(changed);
    setAnswers(null);
    release.reset();
  };

  return (
    <Dialog
      {...state}
      title={t('force.titleAll', { count: seen.length })}
      size={600}
      busy={release.isPending}
    >
      {answers !== null ? (
        <Outcomes answers={answers} onClose={state.onClose} onDecideAnew={decideAnew} />
      ) : (
        <DialogForm
          onSubmit={() => {
            release.mutate(reason.trim());
          }}
          onCancel={state.onClose}
          submitLabel={t('force.submitAll', { count: seen.length })}
          danger
          disabled={reason.trim() === ''}
          busy={release.isPending}
        >
          {/* It scrolls, so the keyboard must reach it. */}
          <ul className={classes.names} tabIndex={0} aria-label={t('force.listLabel')}>
            {seen.map((lock) => (
              <li key={lock.lockName}>
                <Name value={lock.lockName} />
                <Holder lock={lock} />
              </li>
            ))}
          </ul>
          <ForceWarning count={seen.reduce((sum, lock) => sum + Math.max(1, lock.holderCount), 0)} />
          <ReasonField
            value={reason}
            onChange={setReason}
            error={issueOf(release.error, 'reason')}
            required
          />
          {release.error && !isAllAtFields(release.error, ['reason']) && (
            <ProblemNotice error={release.error} act />
          )}
        </DialogForm>
      )}
    </Dialog>
  );
}

function Holder({ lock }: { lock: Lock }) {
  const { t } = useLanguage();
  return (
    <span className={classes.aside}>
      {lock.holderCount > 1
        ? t('holders.count', { count: lock.holderCount })
        : lock.workerName !== null && <Name value={lock.workerName} />}{' '}
      · <Ago time={lock.lockTime} />
    </span>
  );
}

interface OutcomesProps {
  answers: ForceReleaseAnswer[];
  onClose: () => void;
  onDecideAnew: (changed: Lock[]) => void;
}

/** How it went, lock by lock, when not all went as asked. */
function Outcomes({ answers, onClose, onDecideAnew }: OutcomesProps) {
  const { t } = useLanguage();
  const now = useNow();
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.focus();
  }, []);
  const changed = answers.flatMap(({ outcome, lock }) =>
    outcome === 'changed' && lock !== null && stateAt(lock, now) === 'held' ? [lock] : [],
  );
  return (
    <div className={dialogClasses.form}>
      {/* It scrolls, so the keyboard must reach it. */}
      <ul ref={list} className={classes.names} tabIndex={0} aria-label={t('force.outcomes')}>
        {answers.map((answer) => (
          <li key={answer.lockName}>
            <Name value={answer.lockName} />
            <span className={classes.aside}>
              {answer.leases > 1 ? (
                t('outcome.forcedLeases', { count: answer.leases })
              ) : answer.outcome === 'changed' && answer.lock?.mode === 'shared' ? (
                t('outcome.changedToShared', { count: answer.lock.holderCount })
              ) : answer.outcome === 'changed' && answer.lock?.workerName ? (
                <T
                  k="outcome.changedTo"
                  slots={{
                    worker: <Name value={answer.lock.workerName} />,
                    ago: <Ago time={answer.lock.lockTime} />,
                  }}
                />
              ) : (
                t(`outcome.${answer.outcome}`)
              )}
            </span>
          </li>
        ))}
      </ul>
      {changed.length > 0 && (
        <p className={classes.text}>{t('force.changedHint', { count: changed.length })}</p>
      )}
      <div className={dialogClasses.buttons}>
        <Button variant="default" onClick={onClose}>
          {t('action.close')}
        </Button>
        {changed.length > 0 && (
          <Button
            onClick={() => {
              onDecideAnew(changed);
            }}
          >
            {t('force.decideAnew', { count: changed.length })}
          </Button>
        )}
      </div>
    </div>
  );
}

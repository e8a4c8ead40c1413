import { useState } from 'react';
import { forceRelease, readLock } from '../api/actions';
import type { ForceRelease, Holder, Lock } from '../api/contract';
import { ProblemError } from '../api/problem';
import { useLock } from '../api/queries';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { stateAt } from '../ui/lease-time';
import { isOfSharers, targetOf, type LeaseView } from '../ui/lease-view';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { Ago } from '../ui/time';
import { announce } from '../ui/toasts';
import { ChangedNotice } from './changed-notice';
import classes from './fields.module.css';
import { ForceWarning } from './force-warning';
import { isAllAtFields, issueOf } from './issues';
import { LeaseFacts } from './lease-facts';
import { ReasonField } from './reason-field';
import { useAction } from './use-action';
import { WhoIsNext } from './who-is-next';

/**
 * Frees one lock against the will of its holders, or ends the lease of one of several. When another lease has it by now, the operator decides
 * about that one anew.
 */
export function ForceDialog({ lock, ...state }: { lock: LeaseView } & DialogState) {
  const { t } = useLanguage();
  const [seen, setSeen] = useState(lock);
  const [before, setBefore] = useState<LeaseView | null>(null);
  const [reason, setReason] = useState('');
  const held = stateAt(seen, useNow()) === 'held';
  const holders = useHolders(seen);
  const isOver = before !== null && (!held || seen.lease !== undefined);

  const release = useAction((why: string) => forceRelease(targetOf(seen), why), {
    title: t('action.forceRelease'),
    opened: state.opened,
    lockNames: () => [lock.lockName],
    onSuccess: (answer) => {
      state.onClose();
      void announceEnd(answer);
    },
  });

  const submit = () => {
    release.mutate(reason.trim(), {
      onError: (error) => {
        const changed = error instanceof ProblemError ? error.changedLock : null;
        if (changed === null) return;
        setBefore(seen);
        // Who has ended one of several has none to decide about anew.
        if (seen.lease === undefined) setSeen(changed);
      },
    });
  };
  const conflict = release.error instanceof ProblemError && release.error.changedLock !== null;
  const count = holders?.count ?? 1;

  return (
    <Dialog
      {...state}
      title={count > 1 ? t('force.titleHolders', { count }) : t('action.forceRelease')}
      busy={release.isPending}
    >
      <DialogForm
        onSubmit={submit}
        onCancel={state.onClose}
        submitLabel={
          count > 1
            ? t('force.submitAll', { count })
            : t(before !== null && !isOver ? 'force.submitAnew' : 'action.forceRelease')
        }
        danger
        disabled={reason.trim() === '' || isOver}
        busy={release.isPending}
      >
        {before !== null && <ChangedNotice key={seen.fencingToken} seen={before} lock={seen} />}
        <LeaseFacts lock={seen} />
        {holders && <HolderNames {...holders} />}
        <WhoIsNext view={seen} />
        <ForceWarning count={count} />
        <ReasonField value={reason} onChange={setReason} error={issueOf(release.error, 'reason')} required />
        {release.error && !conflict && !isAllAtFields(release.error, ['reason']) && (
          <ProblemNotice error={release.error} act />
        )}
      </DialogForm>
    </Dialog>
  );
}

interface Sharers {
  holders: readonly Holder[];
  /** More than `holders`, where there are many. */
  count: number;
}

/** Those who share the lock, as far as they are known; null where it is about one lease. */
function useHolders(view: LeaseView): Sharers | null {
  const { data: lock } = useLock(view.lockName);
  if (!isOfSharers(view)) return null;
  if (lock?.mode !== 'shared') return { holders: [], count: view.holderCount };
  return { holders: lock.holders, count: lock.holderCount };
}

/** Whose leases are to be ended. */
function HolderNames({ holders, count }: Sharers) {
  const { t } = useLanguage();
  if (holders.length === 0) return null;
  return (
    // It scrolls, so the keyboard must reach it.
    <ul className={classes.names} tabIndex={0} aria-label={t('force.holdersLabel')}>
      {holders.map((holder) => (
        <li key={holder.fencingToken}>
          <Name value={holder.workerName} />
          <span className={classes.aside}>
            <Ago time={holder.lockTime} />
          </span>
        </li>
      ))}
      {count > holders.length && <li>{t('queue.more', { count: count - holders.length })}</li>}
    </ul>
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
async function announceEnd({ lockName, ended, leases }: ForceRelease): Promise<void> {
  const lock = <Name value={lockName} />;
  if (ended === null) {
    announce(<T k="force.wasFree" slots={{ lock }} />);
    return;
  }
  const now = await readOnceTaken(lockName);
  const slots = { lock, worker: <Name value={ended.workerName} /> };
  if (now?.state === 'held' && now.mode === 'shared') {
    announce(
      leases > 1 ? (
        <T k="force.doneHolders" values={{ count: leases }} slots={slots} />
      ) : (
        <T k="force.doneShared" values={{ count: now.holderCount }} slots={slots} />
      ),
    );
  } else if (now?.state === 'held' && now.workerName !== null) {
    const next = <Name value={now.workerName} />;
    announce(
      <T
        k={leases > 1 ? 'force.doneHoldersNext' : 'force.doneNext'}
        values={{ count: leases }}
        slots={{ ...slots, next }}
      />,
    );
  } else {
    const isFree = now?.waiting === 0;
    const k =
      leases > 1
        ? isFree
          ? 'force.doneHoldersFree'
          : 'force.doneHolders'
        : isFree
          ? 'force.doneFree'
          : 'force.done';
    announce(<T k={k} values={{ count: leases }} slots={slots} />);
  }
}

import { useState } from 'react';
import { editLock } from '../api/actions';
import type { EditLock, Lock } from '../api/contract';
import { ProblemError } from '../api/problem';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { stateAt, timeOf } from '../ui/lease-time';
import { isOfSharers, type LeaseView } from '../ui/lease-view';
import { metadataText } from '../ui/metadata-view';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { announce } from '../ui/toasts';
import { ChangedNotice } from './changed-notice';
import classes from './fields.module.css';
import { isAllAtFields, issueOf } from './issues';
import { MetadataField, parseMetadata } from './metadata-field';
import { ReasonField } from './reason-field';
import { millisecondsOf } from './ttl';
import { TtlField } from './ttl-field';
import { useAction } from './use-action';

const FIELDS = ['ttl', 'metadata', 'reason'];

/** Extends or shortens a lease, or changes its metadata. */
export function EditDialog({ lock, ...state }: { lock: LeaseView } & DialogState) {
  const { t } = useLanguage();
  const [seen, setSeen] = useState(lock);
  const [before, setBefore] = useState<LeaseView | null>(null);
  const [ttl, setTtl] = useState('');
  const [metadata, setMetadata] = useState(metadataText(lock.metadata));
  const [reason, setReason] = useState('');
  const held = stateAt(seen, useNow()) === 'held';
  // Of one of several nothing is left; and who shares the lock by now is edited one by one.
  const isOver = before !== null && (seen.lease !== undefined || isOfSharers(seen));

  const parsed = parseMetadata(metadata, t);
  const metadataChanged = 'value' in parsed && JSON.stringify(parsed.value) !== JSON.stringify(seen.metadata);
  const ttlChanged = ttl.trim() !== '';
  const ttlWrong = ttlChanged && millisecondsOf(ttl) === null;
  const changesAnything = (ttlChanged || metadataChanged) && !ttlWrong && 'value' in parsed;

  const edit = useAction((change: EditLock) => editLock(lock.lockName, change), {
    title: t('edit.title'),
    opened: state.opened,
    lockNames: () => [lock.lockName],
    onSuccess: () => {
      announce(<T k="edit.done" slots={{ lock: <Name value={lock.lockName} /> }} />);
      state.onClose();
    },
  });

  const submit = () => {
    if (!('value' in parsed)) return;
    const change: EditLock = {
      fencingToken: seen.fencingToken,
      ...(ttlChanged && { ttl: ttl.trim() }),
      ...(metadataChanged && { metadata: parsed.value }),
      ...(reason.trim() !== '' && { reason: reason.trim() }),
    };
    edit.mutate(change, {
      onError: (error) => {
        const changed = error instanceof ProblemError ? error.changedLock : null;
        if (changed === null) return;
        setBefore(seen);
        if (seen.lease !== undefined) return;
        setSeen(changed);
        // What nobody has touched is the old lease's, and no wish for the new one.
        if (metadata === metadataText(seen.metadata)) setMetadata(metadataText(changed.metadata));
      },
    });
  };
  const conflict = edit.error instanceof ProblemError && edit.error.changedLock !== null;

  return (
    <Dialog {...state} title={t('edit.title')} busy={edit.isPending}>
      <DialogForm
        onSubmit={submit}
        onCancel={state.onClose}
        submitLabel={t(before === null || isOver ? 'edit.submit' : 'edit.submitAnew')}
        disabled={!changesAnything || !held || isOver}
        busy={edit.isPending}
      >
        {before !== null && <ChangedNotice key={seen.fencingToken} seen={before} lock={seen} />}
        <TtlField
          label={t('edit.ttl')}
          value={ttl}
          onChange={setTtl}
          autoFocus
          error={ttlWrong ? t('ttl.wrong') : issueOf(edit.error, 'ttl')}
        />
        <MetadataField
          value={metadata}
          onChange={setMetadata}
          error={'error' in parsed ? parsed.error : issueOf(edit.error, 'metadata')}
        />
        <ReasonField value={reason} onChange={setReason} error={issueOf(edit.error, 'reason')} />
        <Difference
          lock={seen}
          ttl={ttlWrong ? null : millisecondsOf(ttl)}
          metadata={metadataChanged && parsed}
        />
        {edit.error && !conflict && !isAllAtFields(edit.error, FIELDS) && (
          <ProblemNotice error={edit.error} act />
        )}
      </DialogForm>
    </Dialog>
  );
}

interface DifferenceProps {
  lock: LeaseView;
  ttl: number | null;
  metadata: false | { value: Lock['metadata'] };
}

/** What would be another than it is. */
function Difference({ lock, ttl, metadata }: DifferenceProps) {
  const { t, formats } = useLanguage();
  const now = useNow();
  const end = timeOf(lock.expireTime);
  const shift = ttl === null ? 0 : now + ttl - end;
  return (
    <dl className={classes.facts} aria-label={t('edit.difference')}>
      <dt>{t('field.lock')}</dt>
      <dd>
        <Name value={lock.lockName} />
      </dd>
      {lock.lease !== undefined && lock.workerName !== null && (
        <>
          <dt>{t('field.worker')}</dt>
          <dd>
            <Name value={lock.workerName} />
          </dd>
        </>
      )}
      <dt>{t('field.expireTime')}</dt>
      <dd>
        {formats.time(end, now)}
        {ttl !== null && (
          <>
            <span className={classes.arrow}>→</span>
            {t(shift >= 0 ? 'edit.later' : 'edit.earlier', {
              time: formats.time(now + ttl, now),
              duration: formats.duration(Math.abs(shift)),
            })}
          </>
        )}
        {ttl === null && ` · ${t('edit.unchanged')}`}
      </dd>
      <dt>{t('field.metadata')}</dt>
      <dd>
        {metadata === false
          ? t('edit.unchanged')
          : metadataDifference(lock.metadata, metadata.value, t, formats)}
      </dd>
    </dl>
  );
}

function metadataDifference(
  from: Lock['metadata'],
  to: Lock['metadata'],
  t: ReturnType<typeof useLanguage>['t'],
  formats: ReturnType<typeof useLanguage>['formats'],
): string {
  if (to === null) return t('edit.metadataRemoved');
  const keys = [...new Set([...Object.keys(from ?? {}), ...Object.keys(to)])].filter(
    (key) => JSON.stringify(from?.[key]) !== JSON.stringify(to[key]),
  );
  return t('edit.metadataChanged', { keys: formats.list(keys) });
}

import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { createLock } from '../api/actions';
import { ProblemError } from '../api/problem';
import { T, useLanguage } from '../language/language';
import { lockHref, navigate } from '../shell/route';
import { isNobody, useSession } from '../shell/session';
import { Dialog, DialogForm, type DialogState } from '../ui/dialog';
import { Name } from '../ui/name';
import { Notice } from '../ui/notice';
import { ProblemNotice } from '../ui/problem-notice';
import { Ago } from '../ui/time';
import { announce } from '../ui/toasts';
import classes from './fields.module.css';
import { isAllAtFields, issueOf } from './issues';
import { MetadataField, parseMetadata } from './metadata-field';
import { ReasonField } from './reason-field';
import { millisecondsOf } from './ttl';
import { TtlField } from './ttl-field';
import { useAction } from './use-action';

const FIELDS = ['lockName', 'ttl', 'workerName', 'metadata', 'reason'];

/** Holds a lock by hand, which keeps workers off something while it is repaired. */
export function CreateDialog({ lockName: wanted = '', ...state }: { lockName?: string } & DialogState) {
  const { t } = useLanguage();
  const { actor } = useSession();
  const nobody = isNobody(actor);
  const [lockName, setLockName] = useState(wanted);
  const [ttl, setTtl] = useState('15m');
  const [workerName, setWorkerName] = useState('');
  const [metadata, setMetadata] = useState('');
  const [reason, setReason] = useState('');
  const [submitted, setSubmitted] = useState(false);

  const parsed = parseMetadata(metadata, t);
  const complaints = {
    lockName: lockName === '' ? t('create.nameMissing') : null,
    ttl: millisecondsOf(ttl) === null ? t('ttl.wrong') : null,
    metadata: 'error' in parsed ? parsed.error : null,
  };
  const complete = Object.values(complaints).every((complaint) => complaint === null);

  const creation = useAction(createLock, {
    title: t('create.title'),
    opened: state.opened,
    lockNames: (lock) => [lock.lockName],
    onSuccess: (lock) => {
      announce(<T k="create.done" slots={{ lock: <Name value={lock.lockName} /> }} />);
      if (!state.opened) return;
      state.onClose();
      navigate(lockHref(lock.lockName));
    },
  });

  const submit = () => {
    setSubmitted(true);
    if (!complete || !('value' in parsed)) return;
    creation.mutate({
      lockName,
      ttl: ttl.trim(),
      ...(workerName !== '' && { workerName }),
      ...(parsed.value !== null && { metadata: parsed.value }),
      ...(reason.trim() !== '' && { reason: reason.trim() }),
    });
  };
  const complaintOf = (field: keyof typeof complaints) =>
    (submitted ? complaints[field] : null) ?? issueOf(creation.error, field);
  const holder = creation.error instanceof ProblemError ? creation.error.problem.holder : undefined;

  return (
    <Dialog {...state} title={t('create.title')} busy={creation.isPending}>
      <DialogForm
        onSubmit={submit}
        onCancel={state.onClose}
        submitLabel={t('create.submit')}
        busy={creation.isPending}
      >
        <p className={classes.text}>{t('create.text')}</p>
        <TextInput
          className={classes.mono}
          label={t('field.lock')}
          placeholder="orders:42"
          value={lockName}
          error={complaintOf('lockName')}
          required
          data-autofocus={wanted === '' || undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          onChange={(event) => {
            setLockName(event.currentTarget.value);
          }}
        />
        <TtlField
          label={t('field.ttl')}
          value={ttl}
          onChange={setTtl}
          error={complaintOf('ttl')}
          required
          autoFocus={wanted !== ''}
        />
        <TextInput
          className={classes.mono}
          label={t('field.worker')}
          description={t(nobody ? 'create.workerHintNobody' : 'create.workerHint')}
          placeholder={nobody ? undefined : actor}
          value={workerName}
          error={issueOf(creation.error, 'workerName')}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          onChange={(event) => {
            setWorkerName(event.currentTarget.value);
          }}
        />
        <MetadataField
          value={metadata}
          onChange={setMetadata}
          error={metadata === '' ? null : complaintOf('metadata')}
        />
        <ReasonField value={reason} onChange={setReason} error={issueOf(creation.error, 'reason')} />
        {holder ? (
          <Notice tone="warning" title={t('problem.busy')} urgent takesFocus>
            <T
              k="create.holder"
              slots={{ worker: <Name value={holder.workerName} />, ago: <Ago time={holder.lockTime} /> }}
            />
          </Notice>
        ) : (
          creation.error &&
          !isAllAtFields(creation.error, FIELDS) && <ProblemNotice error={creation.error} act />
        )}
      </DialogForm>
    </Dialog>
  );
}

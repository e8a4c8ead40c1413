import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { remainingAt, stateAt } from '../ui/lease-time';
import { Name } from '../ui/name';
import { Ago } from '../ui/time';
import classes from './fields.module.css';

/** Which lease an action is about. */
export function LeaseFacts({ lock }: { lock: Lock }) {
  const { t, formats } = useLanguage();
  const now = useNow();
  const state = stateAt(lock, now);
  return (
    <dl className={classes.facts}>
      <dt>{t('field.lock')}</dt>
      <dd>
        <Name value={lock.lockName} />
      </dd>
      <dt>{t('field.worker')}</dt>
      <dd>{lock.workerName === null ? '–' : <Name value={lock.workerName} />}</dd>
      <dt>{t('field.lockTime')}</dt>
      <dd>
        <Ago time={lock.lockTime} />
      </dd>
      <dt>{t('field.remaining')}</dt>
      <dd>{state === 'held' ? formats.duration(remainingAt(lock, now).left) : t(`state.${state}`)}</dd>
      <dt>{t('field.token')}</dt>
      <dd>{lock.fencingToken}</dd>
      {lock.waiting > 0 && (
        <>
          <dt>{t('field.waiting')}</dt>
          <dd>{t('queue.count', { count: lock.waiting })}</dd>
        </>
      )}
    </dl>
  );
}

import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { remainingAt, stateAt } from '../ui/lease-time';
import { isOfSharers, type LeaseView } from '../ui/lease-view';
import { Name } from '../ui/name';
import { permitsOf } from '../ui/share-text';
import { Ago } from '../ui/time';
import classes from './fields.module.css';

/** Which lease an action is about, or which leases. */
export function LeaseFacts({ lock }: { lock: LeaseView }) {
  const language = useLanguage();
  const { t, formats } = language;
  const now = useNow();
  const state = stateAt(lock, now);
  const several = isOfSharers(lock) && state === 'held';
  const permits = permitsOf(lock, language);
  return (
    <dl className={classes.facts}>
      <dt>{t('field.lock')}</dt>
      <dd>
        <Name value={lock.lockName} />
      </dd>
      {several ? (
        <>
          <dt>{t('field.holders')}</dt>
          <dd>{formats.number(lock.holderCount)}</dd>
        </>
      ) : (
        <>
          <dt>{t('field.worker')}</dt>
          <dd>{lock.workerName === null ? '–' : <Name value={lock.workerName} />}</dd>
          <dt>{t('field.lockTime')}</dt>
          <dd>
            <Ago time={lock.lockTime} />
          </dd>
        </>
      )}
      {permits !== null && (
        <>
          <dt>{t('field.permits')}</dt>
          <dd>{permits}</dd>
        </>
      )}
      <dt>{t('field.remaining')}</dt>
      <dd>{state === 'held' ? formats.duration(remainingAt(lock, now).left) : t(`state.${state}`)}</dd>
      {!several && (
        <>
          <dt>{t('field.token')}</dt>
          <dd>{lock.fencingToken}</dd>
        </>
      )}
      {lock.waiting > 0 && (
        <>
          <dt>{t('field.waiting')}</dt>
          <dd>{t('queue.count', { count: lock.waiting })}</dd>
        </>
      )}
    </dl>
  );
}

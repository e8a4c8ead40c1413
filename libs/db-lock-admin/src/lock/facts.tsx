import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { CopyButton } from '../ui/copy-button';
import { Countdown } from '../ui/countdown';
import { stateAt, timeOf } from '../ui/lease-time';
import { MetadataView, metadataText } from '../ui/metadata-view';
import { Name } from '../ui/name';
import { Ago, Moment } from '../ui/time';
import classes from './lock.module.css';

/** Who holds the lock, since when and for how long. */
export function Facts({ lock }: { lock: Lock }) {
  const { t, formats } = useLanguage();
  const state = stateAt(lock, useNow());
  return (
    <section className={classes.card} aria-labelledby="lease">
      <h2 id="lease">{t('lock.lease')}</h2>
      <dl className={classes.facts}>
        <dt>{t(state === 'held' ? 'lock.holder' : 'lock.lastHolder')}</dt>
        <dd>{lock.workerName === null ? '–' : <Name value={lock.workerName} />}</dd>
        <dt>{t('field.lockTime')}</dt>
        <dd>
          <Ago time={lock.lockTime} />
        </dd>
        <dt>{t(state === 'released' ? 'lock.releasedAt' : 'field.expireTime')}</dt>
        <dd>
          <Moment time={lock.expireTime} />
        </dd>
        {state !== 'released' && (
          <>
            <dt>{t('field.ttl')}</dt>
            <dd>{formats.duration(timeOf(lock.expireTime) - timeOf(lock.lockTime), true)}</dd>
            <dt>{t('field.remaining')}</dt>
            <dd>
              <Countdown lock={lock} size="large" />
            </dd>
          </>
        )}
        <dt>{t('field.token')}</dt>
        <dd>{lock.fencingToken}</dd>
      </dl>
    </section>
  );
}

export function MetadataCard({ lock }: { lock: Lock }) {
  const { t } = useLanguage();
  return (
    <section className={classes.card} aria-labelledby="metadata">
      <h2 id="metadata">
        {t('field.metadata')}
        {lock.metadata !== null && (
          <CopyButton value={metadataText(lock.metadata)} label={t('lock.copyMetadata')} />
        )}
      </h2>
      {lock.metadata === null ? (
        <p className={classes.nothing}>{t('lock.noMetadata')}</p>
      ) : (
        <MetadataView value={lock.metadata} label={t('field.metadata')} />
      )}
    </section>
  );
}

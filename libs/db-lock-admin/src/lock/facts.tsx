import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { CopyButton } from '../ui/copy-button';
import { Countdown } from '../ui/countdown';
import { stateAt } from '../ui/lease-time';
import { MetadataView, metadataText } from '../ui/metadata-view';
import { Name } from '../ui/name';
import { Ago, Elapsed, Exact } from '../ui/time';
import classes from './lock.module.css';

/** What its end is called. */
const ENDS = {
  held: 'field.expireTime',
  expired: 'lock.expiredAt',
  released: 'lock.releasedAt',
} as const;

/** Who holds the lock, since when and for how long. */
export function Facts({ lock }: { lock: Lock }) {
  const { t } = useLanguage();
  const state = stateAt(lock, useNow());
  return (
    <section className={classes.card} aria-labelledby="lease">
      <h2 id="lease">{t('lock.lease')}</h2>
      <dl className={classes.facts}>
        {lock.workerName !== null && (
          <>
            <dt>{t(state === 'held' ? 'lock.holder' : 'lock.lastHolder')}</dt>
            <dd>
              <Name value={lock.workerName} />
            </dd>
          </>
        )}
        <dt>{t('field.lockTime')}</dt>
        <dd>
          <Exact time={lock.lockTime} /> · <Ago time={lock.lockTime} />
        </dd>
        {state === 'held' && (
          <>
            <dt>{t('lock.heldFor')}</dt>
            <dd>
              <Elapsed since={lock.lockTime} />
            </dd>
          </>
        )}
        <dt>{t(ENDS[state])}</dt>
        <dd>
          <Exact time={lock.expireTime} />
          {state !== 'held' && (
            <>
              {' · '}
              <Ago time={lock.expireTime} />
            </>
          )}
        </dd>
        {state === 'held' && (
          <>
            <dt>{t('field.remaining')}</dt>
            <dd>
              <Countdown lock={lock} size="large" />
            </dd>
          </>
        )}
        <dt>{t('field.token')}</dt>
        <dd>{lock.fencingToken}</dd>
      </dl>
      {state === 'expired' && <p className={classes.free}>{t('lock.free')}</p>}
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

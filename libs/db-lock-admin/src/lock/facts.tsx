import type { Lock, LockState } from '../api/contract';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { CopyButton } from '../ui/copy-button';
import { Countdown } from '../ui/countdown';
import { stateAt } from '../ui/lease-time';
import { MetadataView, metadataText } from '../ui/metadata-view';
import { Name } from '../ui/name';
import { permitsOf } from '../ui/share-text';
import { Ago, Elapsed, Exact } from '../ui/time';
import classes from './lock.module.css';

/** What its end is called. */
const ENDS = {
  held: 'field.expireTime',
  expired: 'lock.expiredAt',
  released: 'lock.releasedAt',
} as const;

/** Who holds the lock, how, since when and for how long. */
export function Facts({ lock }: { lock: Lock }) {
  const language = useLanguage();
  const { t, formats } = language;
  const state = stateAt(lock, useNow());
  const isShared = state === 'held' && lock.mode === 'shared';
  return (
    <section className={classes.card} aria-labelledby="lease">
      <h2 id="lease">{t('lock.lease')}</h2>
      <dl className={classes.facts}>
        {state === 'held' && lock.mode !== null && (
          <>
            <dt>{t('field.mode')}</dt>
            <dd>{t(`mode.${lock.mode}`)}</dd>
          </>
        )}
        {isShared ? (
          <>
            <dt>{t('field.holders')}</dt>
            <dd>{formats.number(lock.holderCount)}</dd>
            <dt>{t('field.permits')}</dt>
            <dd>{permitsOf(lock, language) ?? t('permits.unlimited', { count: lock.permits ?? 0 })}</dd>
          </>
        ) : (
          <Holding lock={lock} state={state} />
        )}
        <dt>{t(isShared ? 'lock.lastEnd' : ENDS[state])}</dt>
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
        <dt>{t(isShared ? 'lock.newestToken' : 'field.token')}</dt>
        <dd>{lock.fencingToken}</dd>
      </dl>
      {state === 'expired' && <p className={classes.free}>{t('lock.free')}</p>}
    </section>
  );
}

/** The one who holds the lock, or held it last. */
function Holding({ lock, state }: { lock: Lock; state: LockState }) {
  const { t } = useLanguage();
  return (
    <>
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
    </>
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

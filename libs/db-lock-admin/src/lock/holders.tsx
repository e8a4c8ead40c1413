import { ActionIcon, Button } from '@mantine/core';
import { useId, useState } from 'react';
import { useBegin } from '../actions/actions';
import type { Holder, LockWithQueue } from '../api/contract';
import { useLanguage } from '../language/language';
import { useMay } from '../shell/session';
import { Countdown } from '../ui/countdown';
import { Icon } from '../ui/icon';
import { leaseOf } from '../ui/lease-view';
import { MetadataView } from '../ui/metadata-view';
import { Name } from '../ui/name';
import { permitsText } from '../ui/share-text';
import { Ago } from '../ui/time';
import { visibleText } from '../ui/visible-text';
import classes from './holders.module.css';
import card from './lock.module.css';

/** How many are shown at first: who waits for them matters too. */
const FIRST = 10;

/** Those who share the lock, the oldest first. */
export function Holders({ lock }: { lock: LockWithQueue }) {
  const language = useLanguage();
  const { t, formats } = language;
  const [all, setAll] = useState(false);
  const mayAct = useMay('release');
  const shown = all ? lock.holders : lock.holders.slice(0, FIRST);
  const unseen = lock.holderCount - lock.holders.length;
  const permits = permitsText(lock, language);
  return (
    <section className={card.card} aria-labelledby="holders">
      <h2 id="holders">
        {t('holders.title')} <span className={card.number}>{formats.number(lock.holderCount)}</span>
        {permits !== null && <span className={classes.permits}>{permits}</span>}
      </h2>
      <table className={classes.table}>
        <caption className={card.hidden}>{t('holders.title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('field.worker')}</th>
            <th scope="col" data-column="lockTime">
              {t('field.lockTime')}
            </th>
            <th scope="col" data-column="remaining">
              {t('field.remaining')}
            </th>
            <th scope="col" data-column="permits" data-numeric>
              {t('field.permits')}
            </th>
            <th scope="col" data-column="token" data-numeric>
              {t('field.token')}
            </th>
            <th scope="col" data-column="metadata">
              {t('field.metadata')}
            </th>
            {mayAct && (
              <th scope="col" data-column="act">
                <span className={card.hidden}>{t('list.actions')}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((holder) => (
            <Row key={holder.fencingToken} lock={lock} holder={holder} />
          ))}
        </tbody>
      </table>
      {shown.length < lock.holders.length && (
        <Button
          size="sm"
          variant="default"
          className={card.older}
          onClick={() => {
            setAll(true);
          }}
        >
          {t('queue.all', { count: lock.holders.length })}
        </Button>
      )}
      {shown.length === lock.holders.length && unseen > 0 && (
        <p className={classes.unseen}>{t('queue.more', { count: unseen })}</p>
      )}
    </section>
  );
}

function Row({ lock, holder }: { lock: LockWithQueue; holder: Holder }) {
  const { t, formats } = useLanguage();
  const [open, setOpen] = useState(false);
  const id = useId();
  const mayRelease = useMay('release');
  const worker = visibleText(holder.workerName);
  const { permits = 1, limit = null, metadata } = holder;
  return (
    <>
      <tr>
        <th scope="row">
          <Name value={holder.workerName} truncate />
        </th>
        <td data-column="lockTime">
          <Ago time={holder.lockTime} />
        </td>
        <td data-column="remaining">
          <Countdown lock={leaseOf(lock, holder)} />
        </td>
        <td data-column="permits" data-numeric data-label={t('field.permits')}>
          {limit === null ? formats.number(permits) : t('permits.share', { permits, limit })}
        </td>
        <td data-column="token" data-numeric data-label={t('field.token')}>
          {holder.fencingToken}
        </td>
        <td data-column="metadata">
          {metadata === null ? (
            <span className={classes.none}>–</span>
          ) : (
            <button
              type="button"
              className={classes.disclosure}
              aria-expanded={open}
              aria-controls={open ? id : undefined}
              aria-label={t('holders.metadataOf', { worker })}
              onClick={() => {
                setOpen(!open);
              }}
            >
              {t('field.metadata')}
              <Icon name={open ? 'chevronDown' : 'chevronRight'} size={12} />
            </button>
          )}
        </td>
        {mayRelease && (
          <td data-column="act">
            <HolderActions lock={lock} holder={holder} worker={worker} />
          </td>
        )}
      </tr>
      {open && metadata !== null && (
        <tr id={id}>
          <td colSpan={mayRelease ? 7 : 6} data-column="json">
            <MetadataView value={metadata} label={t('holders.metadataOf', { worker })} />
          </td>
        </tr>
      )}
    </>
  );
}

function HolderActions({ lock, holder, worker }: { lock: LockWithQueue; holder: Holder; worker: string }) {
  const { t } = useLanguage();
  const begin = useBegin();
  const mayEdit = useMay('edit');
  return (
    <span className={classes.actions}>
      {mayEdit && (
        <ActionIcon
          variant="subtle"
          color="gray"
          size="md"
          aria-label={t('holders.edit', { worker })}
          data-tip={t('action.edit')}
          onClick={() => {
            begin({ kind: 'edit', lock: leaseOf(lock, holder) });
          }}
        >
          <Icon name="edit" />
        </ActionIcon>
      )}
      <ActionIcon
        variant="subtle"
        color="gray"
        size="md"
        aria-label={t('holders.force', { worker })}
        data-tip={t('action.forceRelease')}
        onClick={() => {
          begin({ kind: 'force', lock: leaseOf(lock, holder) });
        }}
      >
        <Icon name="unlock" />
      </ActionIcon>
    </span>
  );
}

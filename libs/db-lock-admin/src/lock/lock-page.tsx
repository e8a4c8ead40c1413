import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { useBegin } from '../actions/actions';
import type { LockWithQueue } from '../api/contract';
import { isStatus } from '../api/problem';
import { useLock } from '../api/queries';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { usePageTitle } from '../shell/page-title';
import { listHref, navigate } from '../shell/route';
import { useMay } from '../shell/session';
import { Bone } from '../ui/bones';
import { CopyButton } from '../ui/copy-button';
import { EmptyState } from '../ui/empty-state';
import { Icon } from '../ui/icon';
import { stateAt } from '../ui/lease-time';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { StateBadge } from '../ui/state-badge';
import { Facts, MetadataCard } from './facts';
import { History } from './history';
import { Holders } from './holders';
import classes from './lock.module.css';
import { Queue } from './queue';

export function LockPage({ lockName }: { lockName: string }) {
  const { t } = useLanguage();
  const query = useLock(lockName);
  const lock = query.data;
  usePageTitle(lockName);

  if (isStatus(query.error, 404)) return <Gone lockName={lockName} />;
  return (
    <>
      <Trail>
        <Name value={lockName} truncate />
      </Trail>
      <header className={classes.head}>
        <div className={classes.title}>
          <h1>
            <Name value={lockName} />
          </h1>
          <CopyButton value={lockName} label={t('lock.copyName')} />
          {lock && <StateBadge lock={lock} />}
        </div>
        {lock && <LockActions lock={lock} />}
      </header>
      {query.error && (
        <div className={classes.problem}>
          <ProblemNotice
            error={query.error}
            stale={lock !== undefined}
            retrying={query.isFetching}
            onRetry={() => void query.refetch()}
          />
        </div>
      )}
      {lock ? <Parts lock={lock} /> : !query.error && <Loading />}
    </>
  );
}

/** All that is known of the lock. */
function Parts({ lock }: { lock: LockWithQueue }) {
  const isShared = lock.mode === 'shared' && stateAt(lock, useNow()) === 'held';
  return (
    <div className={classes.columns}>
      {isShared && (
        <div className={classes.whole}>
          <Holders lock={lock} />
        </div>
      )}
      <div className={classes.side}>
        <Facts lock={lock} />
        {!isShared && <MetadataCard lock={lock} />}
      </div>
      <div className={classes.main}>
        <Queue lock={lock} />
        <History lockName={lock.lockName} />
      </div>
    </div>
  );
}

function Trail({ children }: { children: ReactNode }) {
  const { t } = useLanguage();
  return (
    <nav className={classes.trail} aria-label={t('nav.trail')}>
      <ol>
        <li>
          <a href={listHref()}>{t('nav.locks')}</a>
        </li>
        <li aria-current="page">
          <Icon name="chevronRight" size={12} />
          {children}
        </li>
      </ol>
    </nav>
  );
}

function LockActions({ lock }: { lock: LockWithQueue }) {
  const { t } = useLanguage();
  const begin = useBegin();
  const state = stateAt(lock, useNow());
  const mayRelease = useMay('release');
  const mayEdit = useMay('edit');
  return (
    <div className={classes.actions}>
      {mayEdit && state === 'held' && lock.mode !== 'shared' && (
        <Button
          size="sm"
          variant="default"
          leftSection={<Icon name="edit" size={15} />}
          onClick={() => {
            begin({ kind: 'edit', lock });
          }}
        >
          {t('action.edit')}
        </Button>
      )}
      {mayEdit && state !== 'held' && (
        <Button
          size="sm"
          variant="default"
          leftSection={<Icon name="plus" size={15} />}
          onClick={() => {
            begin({ kind: 'create', lockName: lock.lockName });
          }}
        >
          {t('action.create')}
        </Button>
      )}
      {mayEdit && state === 'expired' && (
        <Button
          size="sm"
          variant="default"
          leftSection={<Icon name="eraser" size={15} />}
          onClick={() => {
            begin({ kind: 'clear' });
          }}
        >
          {t('action.clearExpired')}
        </Button>
      )}
      {mayEdit && state === 'released' && lock.waiting === 0 && (
        <Button
          size="sm"
          variant="default"
          leftSection={<Icon name="trash" size={15} />}
          onClick={() => {
            begin({
              kind: 'delete',
              locks: [lock],
              onDone: () => {
                navigate(listHref());
              },
            });
          }}
        >
          {t('action.delete')}
        </Button>
      )}
      {mayRelease && state === 'held' && (
        <Button
          size="sm"
          color="red.9"
          leftSection={<Icon name="unlock" size={15} />}
          onClick={() => {
            begin({ kind: 'force', lock });
          }}
        >
          {t(lock.holderCount > 1 ? 'action.forceReleaseAll' : 'action.forceRelease')}
        </Button>
      )}
    </div>
  );
}

/** No such row: it may have been there a minute ago. */
function Gone({ lockName }: { lockName: string }) {
  const { t } = useLanguage();
  return (
    <>
      <Trail>
        <Name value={lockName} truncate />
      </Trail>
      <EmptyState
        icon="search"
        level={1}
        title={<T k="gone.title" slots={{ lock: <Name value={lockName} /> }} />}
        actions={
          <Button component="a" href={listHref()} variant="default">
            {t('gone.back')}
          </Button>
        }
      >
        {t('gone.text')}
      </EmptyState>
    </>
  );
}

function Loading() {
  const { t } = useLanguage();
  return (
    <div className={classes.columns} role="status" aria-label={t('state.loading')}>
      <div className={classes.side}>
        <div className={classes.card}>
          {[40, 62, 55, 48, 70].map((width) => (
            <p key={width}>
              <Bone width={`${width}%`} />
            </p>
          ))}
        </div>
      </div>
      <div className={classes.main}>
        <div className={classes.card}>
          {[30, 44, 38].map((width) => (
            <p key={width}>
              <Bone width={`${width}%`} />
            </p>
          ))}
        </div>
      </div>
    </div>
  );
}

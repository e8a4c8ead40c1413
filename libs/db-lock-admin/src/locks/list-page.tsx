import { Button, Menu, Switch } from '@mantine/core';
import { useEffect } from 'react';
import { useBegin } from '../actions/actions';
import { apiAddress } from '../api/client';
import type { Lock } from '../api/contract';
import { useLocks, useRefresh, useStateCounts } from '../api/queries';
import { useLanguage } from '../language/language';
import { usePageTitle } from '../shell/page-title';
import { navigate, rememberList, type Route } from '../shell/route';
import { useMay } from '../shell/session';
import { Icon } from '../ui/icon';
import { ProblemNotice } from '../ui/problem-notice';
import { BulkBar } from './bulk-bar';
import { GroupTable } from './group-table';
import classes from './list.module.css';
import { filterOf, isFiltered, lockQueryOf, viewHref, viewOf, type ListView } from './list-view';
import { LockTable } from './lock-table';
import { NoLocks, NoMatch } from './no-locks';
import { Pager } from './pager';
import { PrefixTrail } from './prefix-trail';
import { useRowKeys } from './row-keys';
import { SearchField } from './search-field';
import { useSelection } from './selection';
import { StateFilter } from './state-filter';

const NO_LOCKS: Lock[] = [];

export function ListPage({ route }: { route: Route }) {
  const { t } = useLanguage();
  const mayCreate = useMay('edit');
  const maySelect = useMay('release');
  const begin = useBegin();
  const view = viewOf(route.query);
  const filtered = isFiltered(view);
  const locks = useLocks(lockQueryOf(view));
  const counts = useStateCounts(view.search === '' && view.prefix === '');
  const items = locks.data?.items ?? NO_LOCKS;
  const selection = useSelection(items);
  usePageTitle(t('nav.locks'));

  useEffect(() => {
    rememberList(route.query);
  }, [route]);
  useLastPage(view, locks.isPlaceholderData ? undefined : locks.data?.total);
  const select = (lockName: string) => {
    const lock = items.find((each) => each.lockName === lockName);
    if (lock) selection.toggle(lock);
  };
  useRowKeys(maySelect ? select : null);

  const show = (change: Partial<ListView>) => {
    navigate(viewHref(view, change));
  };
  const failed = locks.error !== null && locks.data === undefined;
  const none = locks.data?.total === 0 && !locks.isPlaceholderData;

  return (
    <>
      <header className={classes.head}>
        <h1>{t('nav.locks')}</h1>
        {mayCreate && (
          <Button
            size="sm"
            leftSection={<Icon name="plus" />}
            onClick={() => {
              begin({ kind: 'create' });
            }}
          >
            {t('action.create')}
          </Button>
        )}
      </header>
      <search className={classes.tools}>
        <div className={classes.searchField}>
          <SearchField
            value={view.search}
            onSearch={(search) => {
              // Each word of a search need not be a step back.
              navigate(viewHref(view, { search }), view.search === '' ? 'push' : 'replace');
            }}
          />
        </div>
        <StateFilter
          value={view.state}
          counts={view.search === '' && view.prefix === '' ? (counts.data ?? null) : null}
          onChange={(state) => {
            show({ state });
          }}
        />
        <Switch
          size="sm"
          className={classes.grouping}
          label={t('list.group')}
          checked={view.grouped}
          onChange={(event) => {
            show({ grouped: event.currentTarget.checked });
          }}
        />
        <ListMenu view={view} />
      </search>
      {view.prefix !== '' && <PrefixTrail view={view} />}
      {view.grouped && !none && !failed && <GroupTable view={view} />}
      {locks.error && (
        <div className={classes.problem}>
          <ProblemNotice
            error={locks.error}
            stale={locks.data !== undefined}
            retrying={locks.isFetching}
            onRetry={() => void locks.refetch()}
          />
        </div>
      )}
      {none ? (
        filtered ? (
          <NoMatch
            view={view}
            onClear={() => {
              show({ search: '', state: null, prefix: '' });
            }}
          />
        ) : (
          <NoLocks />
        )
      ) : (
        !failed && (
          <>
            <LockTable
              view={view}
              locks={locks.data?.items ?? null}
              selection={selection}
              outdated={locks.isPlaceholderData}
            />
            <Pager view={view} total={locks.data?.total ?? 0} shown={items.length} />
          </>
        )
      )}
      {maySelect && <BulkBar selection={selection} />}
    </>
  );
}

/** A page that has emptied is left for the last one that hasn't. */
function useLastPage(view: ListView, total: number | undefined): void {
  const lastPage = total === undefined ? Infinity : Math.max(1, Math.ceil(total / view.pageSize));
  useEffect(() => {
    if (view.page > lastPage) navigate(viewHref(view, { page: lastPage }), 'replace');
  }, [view, lastPage]);
}

function ListMenu({ view }: { view: ListView }) {
  const { t } = useLanguage();
  const begin = useBegin();
  const refresh = useRefresh();
  const mayEdit = useMay('edit');
  return (
    <div className={classes.menu}>
      <Button
        component="a"
        size="sm"
        variant="default"
        leftSection={<Icon name="download" size={15} />}
        href={apiAddress('locks.csv', { ...filterOf(view) })}
        download
        data-tip={t('list.csvHint')}
      >
        {t('list.csv')}
      </Button>
      <Menu position="bottom-end" shadow="md" withinPortal={false} withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <Button
            size="sm"
            variant="default"
            className={classes.more}
            aria-label={t('list.more')}
            data-tip={t('list.more')}
          >
            <Icon name="dots" />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="refresh" />} onClick={refresh}>
            {t('action.refresh')}
          </Menu.Item>
          {mayEdit && (
            <Menu.Item
              leftSection={<Icon name="eraser" />}
              onClick={() => {
                begin({ kind: 'clear' });
              }}
            >
              {t('action.clearExpired')}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

import { Button } from '@mantine/core';
import { useBegin } from '../actions/actions';
import { T, useLanguage } from '../language/language';
import { useMay } from '../shell/session';
import { EmptyState } from '../ui/empty-state';
import { Name } from '../ui/name';
import classes from './list.module.css';
import type { ListView } from './list-view';

const EXAMPLE = "await locks.withLock('orders:42', { ttl: '30s' },\n  async (lease) => {\n    // …\n  });";

/** Nobody has asked for a lock yet: says how one gets here. */
export function NoLocks() {
  const { t } = useLanguage();
  const begin = useBegin();
  const mayCreate = useMay('edit');
  return (
    <EmptyState
      icon="lock"
      title={t('empty.title')}
      actions={
        mayCreate && (
          <Button
            variant="default"
            onClick={() => {
              begin({ kind: 'create' });
            }}
          >
            {t('empty.create')}
          </Button>
        )
      }
    >
      <p>{t('empty.text')}</p>
      {/* It scrolls, so the keyboard must reach it. */}
      <pre className={classes.example} tabIndex={0} role="region" aria-label={t('empty.example')}>
        {EXAMPLE}
      </pre>
    </EmptyState>
  );
}

export function NoMatch({ view, onClear }: { view: ListView; onClear: () => void }) {
  const { t } = useLanguage();
  return (
    <EmptyState
      icon="search"
      title={t('noMatch.title')}
      actions={
        <Button variant="default" onClick={onClear}>
          {t('noMatch.clear')}
        </Button>
      }
    >
      <ul className={classes.filters}>
        {view.search !== '' && (
          <li>
            <T k="noMatch.search" slots={{ search: <Name value={view.search} /> }} />
          </li>
        )}
        {view.state !== null && <li>{t('noMatch.state', { state: t(`state.${view.state}`) })}</li>}
        {view.prefix !== '' && (
          <li>
            <T k="noMatch.prefix" slots={{ prefix: <Name value={view.prefix} /> }} />
          </li>
        )}
      </ul>
    </EmptyState>
  );
}

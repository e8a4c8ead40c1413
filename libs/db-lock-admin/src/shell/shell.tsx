import { ActionIcon } from '@mantine/core';
import { useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { useBegin } from '../actions/actions';
import { useRefresh } from '../api/queries';
import { useLanguage } from '../language/language';
import { focusHeading } from '../ui/focus';
import { Icon } from '../ui/icon';
import { TooltipHost } from '../ui/tooltip-host';
import { Freshness } from './freshness';
import { HelpDialog } from './help-dialog';
import { LiveBadge } from './live-badge';
import {
  hrefOf,
  listHref,
  LOCK_PATH,
  lockNameIn,
  navigate,
  OVERVIEW_PATH,
  scrollToReturnTo,
  type Route,
} from './route';
import { useMay, useSession } from './session';
import { SettingsMenu } from './settings-menu';
import classes from './shell.module.css';
import { useShortcuts } from './shortcuts';

/** The bar at the top, the page below it, and the keys that work everywhere. */
export function Shell({ route, children }: { route: Route; children: ReactNode }) {
  const { t } = useLanguage();
  const { feature } = useSession();
  const begin = useBegin();
  const refresh = useRefresh();
  const mayCreate = useMay('edit');
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const showHelp = () => {
    setHelp(true);
  };

  useShortcuts({
    r: refresh,
    'g l': () => {
      navigate(listHref());
    },
    'g o': () => {
      navigate(hrefOf(OVERVIEW_PATH));
    },
    '?': showHelp,
    ...(mayCreate && {
      n: () => {
        begin({ kind: 'create' });
      },
    }),
  });
  useArrival(route.path);

  return (
    <>
      {/* Not a link: the address holds the view. */}
      <button type="button" className={classes.skip} onClick={() => main.current?.focus()}>
        {t('nav.skip')}
      </button>
      <header className={classes.bar}>
        <div className={classes.barInner}>
          <a className={classes.brand} href={hrefOf('/')} aria-label={t('nav.home', { feature })}>
            <span className={classes.mark}>
              <Icon name="lock" size={15} />
            </span>
            <span>{feature}</span>
          </a>
          <nav className={classes.nav} aria-label={t('nav.label')}>
            <a href={listHref()} aria-current={route.path === '/' ? 'page' : undefined}>
              {t('nav.locks')}
            </a>
            <a href={hrefOf(OVERVIEW_PATH)} aria-current={route.path === OVERVIEW_PATH ? 'page' : undefined}>
              {t('nav.overview')}
            </a>
          </nav>
          <div className={classes.end}>
            <LiveBadge />
            <ActionIcon
              className={classes.keyboard}
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={t('keys.title')}
              data-tip={t('keys.title')}
              onClick={showHelp}
            >
              <Icon name="keyboard" size={18} />
            </ActionIcon>
            <SettingsMenu />
          </div>
        </div>
      </header>
      <main ref={main} className={classes.main} tabIndex={-1}>
        <Freshness>{children}</Freshness>
        <TooltipHost />
      </main>
      <HelpDialog
        opened={help}
        onClose={() => {
          setHelp(false);
        }}
      />
    </>
  );
}

/**
 * Another page starts at its top, with the focus on its heading; the way back finds it where it was left, with the focus on the
 * row that was opened.
 */
function useArrival(path: string): void {
  const last = useRef(path);
  useLayoutEffect(() => {
    if (last.current === path) return;
    const from = last.current;
    last.current = path;
    const top = scrollToReturnTo();
    window.scrollTo({ top: top ?? 0 });
    const row = top === null || !from.startsWith(LOCK_PATH) ? null : rowOf(lockNameIn(from));
    if (row) row.focus({ preventScroll: true });
    else focusHeading();
  }, [path]);
}

function rowOf(lockName: string | null): HTMLElement | null {
  if (lockName === null) return null;
  return document.querySelector(`[data-row="${CSS.escape(lockName)}"] [data-row-link]`);
}

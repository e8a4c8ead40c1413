import { ActionIcon } from '@mantine/core';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { useBegin } from '../actions/actions';
import { useRefresh } from '../api/queries';
import { useLanguage } from '../language/language';
import { Icon } from '../ui/icon';
import { TooltipHost } from '../ui/tooltip-host';
import { HelpDialog } from './help-dialog';
import { LiveBadge } from './live-badge';
import { hrefOf, listHref, navigate, OVERVIEW_PATH, type Route } from './route';
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
  useTopOfPage(route.path);

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
        {children}
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

/** Another page starts at its top; the way back finds the browser's own scroll position. */
function useTopOfPage(path: string): void {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) window.scrollTo({ top: 0 });
    first.current = false;
  }, [path]);
}

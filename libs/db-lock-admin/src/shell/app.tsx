import { Button } from '@mantine/core';
import { ActionsProvider } from '../actions/actions';
import { isStatus } from '../api/problem';
import { useSessionQuery } from '../api/queries';
import { useLanguage } from '../language/language';
import { LiveProvider } from '../live/live';
import { LockPage } from '../lock/lock-page';
import { ListPage } from '../locks/list-page';
import { OverviewPage } from '../overview/overview-page';
import { EmptyState } from '../ui/empty-state';
import { problemText } from '../ui/problem-text';
import { hrefOf, LOCK_PATH, lockNameIn, OVERVIEW_PATH, useRoute, type Route } from './route';
import { SessionContext } from './session';
import { Shell } from './shell';
import classes from './shell.module.css';

/** Asks who the operator is, then shows the page that the address names. */
export function App() {
  const route = useRoute();
  const session = useSessionQuery();
  if (session.data) {
    return (
      <SessionContext value={session.data}>
        <LiveProvider>
          <ActionsProvider>
            <Shell route={route}>
              <Page route={route} />
            </Shell>
          </ActionsProvider>
        </LiveProvider>
      </SessionContext>
    );
  }
  if (session.error) {
    return (
      <NoEntry error={session.error} retrying={session.isFetching} onRetry={() => void session.refetch()} />
    );
  }
  return <Opening />;
}

function Page({ route }: { route: Route }) {
  if (route.path === '/') return <ListPage route={route} />;
  if (route.path === OVERVIEW_PATH) return <OverviewPage route={route} />;
  const lockName = route.path.startsWith(LOCK_PATH) ? lockNameIn(route.path) : null;
  return lockName === null ? <NoPage /> : <LockPage key={lockName} lockName={lockName} />;
}

function NoPage() {
  const { t } = useLanguage();
  return (
    <EmptyState
      icon="search"
      level={1}
      title={t('noPage.title')}
      actions={
        <Button component="a" variant="default" href={hrefOf('/')}>
          {t('gone.back')}
        </Button>
      }
    >
      {t('noPage.text')}
    </EmptyState>
  );
}

interface NoEntryProps {
  error: Error;
  retrying: boolean;
  onRetry: () => void;
}

/** Not let in, or nobody there to let in. */
function NoEntry({ error, retrying, onRetry }: NoEntryProps) {
  const { t } = useLanguage();
  const { title, detail } = problemText(error, t);
  const forbidden = isStatus(error, 403);
  const unauthorized = isStatus(error, 401);
  return (
    <main className={classes.center}>
      <EmptyState
        icon={forbidden || unauthorized ? 'lock' : 'alert'}
        level={1}
        title={title}
        actions={
          <Button
            variant="default"
            loading={retrying}
            onClick={() => {
              // The browser asks for credentials for the page, not for what the page asks for.
              if (unauthorized) location.reload();
              else onRetry();
            }}
          >
            {t(unauthorized ? 'problem.signIn' : 'action.retry')}
          </Button>
        }
      >
        {forbidden && <p>{t('problem.forbiddenHint')}</p>}
        {unauthorized && <p>{t('problem.unauthorizedHint')}</p>}
        {detail !== null && <p>{detail}</p>}
      </EmptyState>
    </main>
  );
}

function Opening() {
  const { t } = useLanguage();
  return (
    <main className={classes.center} aria-busy="true">
      <h1 className={classes.opening}>{t('state.loading')}</h1>
    </main>
  );
}

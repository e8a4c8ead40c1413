import { SegmentedControl } from '@mantine/core';
import { RANGES, type Overview, type Range } from '../api/contract';
import { useOverview } from '../api/queries';
import { useLanguage } from '../language/language';
import { DEFAULT_VIEW, stateHref, viewHref } from '../locks/list-view';
import { usePageTitle } from '../shell/page-title';
import { hrefOf, navigate, OVERVIEW_PATH, type Route } from '../shell/route';
import { Bone } from '../ui/bones';
import { Notice } from '../ui/notice';
import { ProblemNotice } from '../ui/problem-notice';
import { Contended } from './contended';
import classes from './overview.module.css';
import { DurationCard } from './duration-card';
import { LOSSES, REQUESTS } from './series';
import { SeriesFigure } from './series-figure';
import { Tile } from './tile';

export function OverviewPage({ route }: { route: Route }) {
  const { t } = useLanguage();
  const range = RANGES.find((each) => each === route.query.get('range')) ?? '24h';
  const overview = useOverview(range);
  const { data } = overview;
  usePageTitle(t('nav.overview'));
  return (
    <>
      <header className={classes.head}>
        <h1>{t('nav.overview')}</h1>
        <RangeControl range={range} />
      </header>
      {overview.error && (
        <div className={classes.problem}>
          <ProblemNotice
            error={overview.error}
            stale={data !== undefined}
            retrying={overview.isFetching}
            onRetry={() => void overview.refetch()}
          />
        </div>
      )}
      {data ? (
        <Content overview={data} outdated={overview.isPlaceholderData} />
      ) : (
        !overview.error && <Loading />
      )}
    </>
  );
}

function RangeControl({ range }: { range: Range }) {
  const { t } = useLanguage();
  return (
    <SegmentedControl
      size="sm"
      withItemsBorders={false}
      transitionDuration={120}
      aria-label={t('overview.range')}
      value={range}
      data={RANGES.map((value) => ({ value: value as string, label: t(`range.${value}`) }))}
      onChange={(value) => {
        navigate(hrefOf(OVERVIEW_PATH, new URLSearchParams({ range: value })));
      }}
    />
  );
}

function Content({ overview, outdated }: { overview: Overview; outdated: boolean }) {
  const { t } = useLanguage();
  const { now, series, hold, wait } = overview;
  return (
    <>
      <Tiles>
        <Tile label={t('state.held')} count={now.held} href={stateHref('held')} />
        <Tile label={t('state.contended')} count={now.contended} href={stateHref('contended')} hot />
        <Tile
          label={t('overview.waiting')}
          count={now.waiting}
          href={viewHref(DEFAULT_VIEW, { sort: 'waiting', order: 'desc' })}
          hot
        />
        <Tile label={t('state.expired')} count={now.expired} href={stateHref('expired')} />
        <Tile label={t('state.released')} count={now.released} href={stateHref('released')} />
      </Tiles>
      {overview.history ? (
        <div className={classes.grid} data-outdated={outdated || undefined}>
          <SeriesFigure
            title={t('overview.requests')}
            kinds={REQUESTS}
            points={series.points}
            step={series.step}
          />
          <SeriesFigure
            title={t('overview.losses')}
            kinds={LOSSES}
            points={series.points}
            step={series.step}
          />
          <DurationCard title={t('overview.hold')} counted="overview.holds" percentiles={hold} />
          <DurationCard title={t('overview.wait')} counted="overview.waits" percentiles={wait} />
          <Contended names={overview.contended} />
        </div>
      ) : (
        <Notice tone="info" title={t('overview.noHistory')}>
          {t('overview.noHistoryText')}
        </Notice>
      )}
    </>
  );
}

function Tiles({ children }: { children: React.ReactNode }) {
  const { t } = useLanguage();
  return (
    <section className={classes.tiles} aria-label={t('overview.now')}>
      {children}
    </section>
  );
}

function Loading() {
  const { t } = useLanguage();
  return (
    <div role="status" aria-label={t('state.loading')}>
      <div className={classes.tiles}>
        {[1, 2, 3, 4, 5].map((tile) => (
          <div key={tile} className={classes.tile}>
            <Bone width="60px" />
            <Bone width="36px" />
          </div>
        ))}
      </div>
      <div className={classes.grid}>
        {[1, 2].map((figure) => (
          <div key={figure} className={classes.figure}>
            <Bone width="120px" />
            <div className={classes.plot} />
          </div>
        ))}
      </div>
    </div>
  );
}

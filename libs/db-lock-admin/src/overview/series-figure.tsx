import { useComputedColorScheme } from '@mantine/core';
import { lazy, Suspense, useMemo, useState } from 'react';
import type { SeriesPoint } from '../api/contract';
import { useLanguage } from '../language/language';
import { timeOf } from '../ui/lease-time';
import classes from './overview.module.css';
import { peakOf, seriesOf, sumOf, type Series } from './series';

const Plot = lazy(() => import('./plot'));

interface SeriesFigureProps {
  title: string;
  kinds: Parameters<typeof seriesOf>[0];
  points: readonly SeriesPoint[];
  step: number;
}

/** Counts over time: a drawing, and the same in words for whoever doesn't see it. */
export function SeriesFigure({ title, kinds, points, step }: SeriesFigureProps) {
  const { t, formats } = useLanguage();
  const scheme = useComputedColorScheme();
  const [point, setPoint] = useState<number | null>(null);
  const times = useMemo(() => points.map(({ time }) => timeOf(time)), [points]);
  const series = useMemo(() => seriesOf(kinds, points), [kinds, points]);
  const time = point === null ? undefined : times[point];

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.caption}>
        <h2>{title}</h2>
        <span className={classes.when} aria-hidden="true">
          {time === undefined ? t('overview.sum') : formats.dayAndTime(time)}
        </span>
      </figcaption>
      <ul className={classes.legend} aria-hidden="true">
        {series.map((each) => (
          <li key={each.id}>
            <span className={classes.mark} style={{ background: `var(${each.color})` }} />
            {t(each.label)}
            <strong>{formats.number(point === null ? sumOf(each.values) : (each.values[point] ?? 0))}</strong>
          </li>
        ))}
      </ul>
      <Suspense fallback={<div className={classes.plot} />}>
        <Plot times={times} series={series} step={step} formats={formats} theme={scheme} onPoint={setPoint} />
      </Suspense>
      <Summary title={title} series={series} times={times} step={step} />
    </figure>
  );
}

interface SummaryProps {
  title: string;
  series: readonly Series[];
  times: readonly number[];
  step: number;
}

function Summary({ title, series, times, step }: SummaryProps) {
  const { t, formats } = useLanguage();
  return (
    // Around the table, which no width makes smaller than its words.
    <div className={classes.hidden}>
      <table>
        <caption>
          {title}. {t('overview.step', { duration: formats.duration(step) })}
        </caption>
        <thead>
          <tr>
            <th scope="col">{t('overview.series')}</th>
            <th scope="col">{t('overview.sum')}</th>
            <th scope="col">{t('overview.peak')}</th>
          </tr>
        </thead>
        <tbody>
          {series.map(({ id, label, values }) => {
            const peak = peakOf(values);
            const at = times[peak.index];
            return (
              <tr key={id}>
                <th scope="row">{t(label)}</th>
                <td>{formats.number(sumOf(values))}</td>
                <td>
                  {peak.value === 0 || at === undefined
                    ? '–'
                    : t('overview.peakAt', { value: peak.value, time: formats.dayAndTime(at) })}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

import { useId } from 'react';
import type { Percentiles } from '../api/contract';
import { useLanguage } from '../language/language';
import classes from './overview.module.css';

const COLUMNS = ['p50', 'p90', 'p99'] as const;

interface DurationCardProps {
  title: string;
  /** What was counted. */
  counted: 'overview.holds' | 'overview.waits';
  percentiles: Percentiles;
}

export function DurationCard({ title, counted, percentiles }: DurationCardProps) {
  const { t, formats } = useLanguage();
  const id = useId();
  return (
    <section className={classes.figure} aria-labelledby={id}>
      <div className={classes.caption}>
        <h2 id={id}>{title}</h2>
        <span className={classes.when}>{t(counted, { count: percentiles.count })}</span>
      </div>
      <dl className={classes.percentiles}>
        {COLUMNS.map((column) => {
          const value = percentiles[column];
          return (
            <div key={column}>
              <dt data-tip={t(`percentile.${column}`)}>{column}</dt>
              <dd>{value === null ? '–' : formats.duration(value, true)}</dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

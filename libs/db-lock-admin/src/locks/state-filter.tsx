import { SegmentedControl } from '@mantine/core';
import { STATE_FILTERS, type StateCounts, type StateFilter as State } from '../api/contract';
import { useLanguage } from '../language/language';
import classes from './list.module.css';

interface StateFilterProps {
  value: State | null;
  /** Over all names; not shown beside a narrower list. */
  counts: StateCounts | null;
  onChange: (state: State | null) => void;
}

export function StateFilter({ value, counts, onChange }: StateFilterProps) {
  const { t, formats } = useLanguage();
  const label = (text: string, count: number | null) => (
    <span className={classes.segment}>
      {text}
      {count !== null && <span className={classes.count}>{formats.compact(count)}</span>}
    </span>
  );
  const all = counts && counts.held + counts.expired + counts.released;
  return (
    <SegmentedControl
      className={classes.states}
      size="sm"
      withItemsBorders={false}
      transitionDuration={120}
      aria-label={t('list.state')}
      value={value ?? 'all'}
      data={[
        { value: 'all', label: label(t('state.all'), all) },
        ...STATE_FILTERS.map((state) => ({
          value: state as string,
          label: label(t(`state.${state}`), counts && counts[state]),
        })),
      ]}
      onChange={(chosen) => {
        onChange(STATE_FILTERS.find((state) => state === chosen) ?? null);
      }}
    />
  );
}

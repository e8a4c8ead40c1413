import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { stateAt } from './lease-time';
import classes from './state-badge.module.css';

export function StateBadge({ lock }: { lock: Lock }) {
  const { t } = useLanguage();
  const state = stateAt(lock, useNow());
  return (
    <span className={classes.badge} data-state={state}>
      {t(`state.${state}`)}
    </span>
  );
}

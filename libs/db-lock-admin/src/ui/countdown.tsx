import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import classes from './countdown.module.css';
import { remainingAt, stateAt, timeOf } from './lease-time';
import type { LeaseView } from './lease-view';

/** How long the lease still lives: a bar that empties until it ends or is renewed, and the time in words. */
export function Countdown({ lock, size = 'small' }: { lock: LeaseView; size?: 'small' | 'large' }) {
  const { t, formats } = useLanguage();
  const now = useNow();
  const state = stateAt(lock, now);
  if (state === 'released') return <span className={classes.over}>–</span>;
  if (state === 'expired') {
    return (
      <span className={classes.expired}>
        {t('countdown.over', { ago: formats.ago(timeOf(lock.expireTime), now) })}
      </span>
    );
  }
  const { left, share } = remainingAt(lock, now);
  return (
    <span className={classes.countdown} data-size={size} data-low={share < 0.2 || undefined}>
      <svg className={classes.bar} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect className={classes.track} width="100" height="4" />
        <rect className={classes.left} width="100" height="4" style={{ transform: `scaleX(${share})` }} />
      </svg>
      <span>{formats.duration(left)}</span>
    </span>
  );
}

import { useLanguage } from '../language/language';
import { useLiveState } from '../live/live';
import { useNow } from '../live/now';
import classes from './shell.module.css';

/** Whether what is shown is current. */
export function LiveBadge() {
  const { t, formats } = useLanguage();
  const state = useLiveState();
  const now = useNow();
  const text = () => {
    switch (state.kind) {
      case 'live':
        return t('live.live');
      case 'connecting':
        return t('live.connecting');
      case 'polling':
        return t('live.polling', { every: formats.duration(state.every) });
      case 'stale':
        return t('live.stale', { time: formats.exact(state.since, now) });
    }
  };
  return (
    <span
      className={classes.live}
      data-state={state.kind}
      data-tip={t(`live.${state.kind}Tip`)}
      role="status"
    >
      {text()}
    </span>
  );
}

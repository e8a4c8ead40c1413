import type { ReactNode } from 'react';
import { useLanguage } from '../language/language';
import { useLiveState } from '../live/live';
import { Notice } from '../ui/notice';
import classes from './shell.module.css';

/** The page, dimmed and with a word about it when it may be out of date. */
export function Freshness({ children }: { children: ReactNode }) {
  const { t } = useLanguage();
  const stale = useLiveState().kind === 'stale';
  return (
    <>
      {stale && (
        <div className={classes.staleNotice}>
          <Notice tone="warning" title={t('live.staleTitle')}>
            {t('live.staleTip')}
          </Notice>
        </div>
      )}
      <div className={classes.page} data-stale={stale || undefined}>
        {children}
      </div>
    </>
  );
}

import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import classes from './held-by.module.css';
import { Name } from './name';
import { permitsText } from './share-text';

/** Who holds a lock, on one line: a worker, or how many share it, and the permits that they take. */
export function HeldBy({ lock }: { lock: Lock }) {
  const language = useLanguage();
  const { t } = language;
  if (lock.workerName === null) return null;
  if (lock.mode !== 'shared') return <Name value={lock.workerName} truncate />;
  const permits = permitsText(lock, language);
  const several = lock.holderCount > 1;
  const note = permits ?? (several ? null : t('share.any'));
  return (
    <span className={classes.heldBy}>
      {several ? (
        <span className={classes.holders}>{t('holders.count', { count: lock.holderCount })}</span>
      ) : (
        <Name value={lock.workerName} truncate />
      )}
      {note !== null && (
        <span className={classes.note} data-tip={note} data-tip-cut="">
          {note}
        </span>
      )}
    </span>
  );
}

import { useLock } from '../api/queries';
import { T, useLanguage } from '../language/language';
import type { LeaseView } from '../ui/lease-view';
import { Name } from '../ui/name';
import classes from './fields.module.css';

/** What happens to a lock that is freed, or of which one lease of several is ended: nothing is said before it is known. */
export function WhoIsNext({ view }: { view: LeaseView }) {
  const { t } = useLanguage();
  const { data: lock } = useLock(view.lockName);
  if (lock === undefined) return null;
  const [first] = lock.queue;
  const others = view.lease === undefined ? 0 : lock.holderCount - 1;
  return (
    <p className={classes.text}>
      {first !== undefined ? (
        <T
          k={others > 0 ? 'force.nextShared' : 'force.next'}
          slots={{ worker: <Name value={first.workerName} /> }}
        />
      ) : others > 0 ? (
        t('force.nobodyNextShared', { count: others })
      ) : (
        t('force.nobodyNext')
      )}
    </p>
  );
}

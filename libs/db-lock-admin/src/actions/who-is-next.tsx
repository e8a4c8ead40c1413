import { useLock } from '../api/queries';
import { T, useLanguage } from '../language/language';
import { Name } from '../ui/name';
import classes from './fields.module.css';

/** What happens to a lock that is freed: nothing is said before it is known. */
export function WhoIsNext({ lockName }: { lockName: string }) {
  const { t } = useLanguage();
  const { data: lock } = useLock(lockName);
  if (lock === undefined) return null;
  const [first] = lock.queue;
  return (
    <p className={classes.text}>
      {first === undefined ? (
        t('force.nobodyNext')
      ) : (
        <T k="force.next" slots={{ worker: <Name value={first.workerName} /> }} />
      )}
    </p>
  );
}

import type { Lock } from '../api/contract';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { stateAt } from '../ui/lease-time';
import { Name } from '../ui/name';
import { Notice } from '../ui/notice';
import { Ago } from '../ui/time';

/** The lock is no longer as the operator saw it: what it is now, so that the operator can decide anew. */
export function ChangedNotice({ seen, lock }: { seen: Lock; lock: Lock }) {
  const { t } = useLanguage();
  const held = stateAt(lock, useNow()) === 'held';
  return (
    <Notice tone="warning" title={t('changed.title')} urgent takesFocus>
      {held && lock.workerName !== null ? (
        <T
          k={lock.workerName === seen.workerName ? 'changed.sameWorker' : 'changed.otherWorker'}
          values={{ before: String(seen.fencingToken), after: String(lock.fencingToken) }}
          slots={{
            worker: <Name value={lock.workerName} />,
            seen: <Name value={seen.workerName ?? '–'} />,
            ago: <Ago time={lock.lockTime} />,
          }}
        />
      ) : (
        t('changed.free')
      )}
    </Notice>
  );
}

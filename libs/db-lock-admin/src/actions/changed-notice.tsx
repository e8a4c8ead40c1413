import type { Lock } from '../api/contract';
import { T, useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { stateAt } from '../ui/lease-time';
import { isOfSharers, type LeaseView } from '../ui/lease-view';
import { Name } from '../ui/name';
import { Notice } from '../ui/notice';
import { Ago } from '../ui/time';

/** The lock is no longer as the operator saw it: what it is now, so that the operator can decide anew. */
export function ChangedNotice({ seen, lock }: { seen: LeaseView; lock: Lock }) {
  const { t } = useLanguage();
  return (
    <Notice tone="warning" title={t('changed.title')} urgent takesFocus>
      <Change seen={seen} lock={lock} />
    </Notice>
  );
}

function Change({ seen, lock }: { seen: LeaseView; lock: Lock }) {
  const { t } = useLanguage();
  const held = stateAt(lock, useNow()) === 'held';
  const before = String(seen.fencingToken);
  const seenWorker = <Name value={seen.workerName ?? '–'} />;
  if (seen.lease !== undefined)
    return <T k="changed.leaseOver" values={{ token: before }} slots={{ worker: seenWorker }} />;
  if (!held || lock.workerName === null) return t('changed.free');
  const ago = <Ago time={lock.lockTime} />;
  const worker = <Name value={lock.workerName} />;
  const after = String(lock.fencingToken);
  if (lock.mode === 'shared')
    return <T k="changed.sharedNow" values={{ count: lock.holderCount }} slots={{ ago }} />;
  if (isOfSharers(seen)) return <T k="changed.aloneNow" values={{ after }} slots={{ worker, ago }} />;
  return (
    <T
      k={lock.workerName === seen.workerName ? 'changed.sameWorker' : 'changed.otherWorker'}
      values={{ before, after }}
      slots={{ worker, seen: seenWorker, ago }}
    />
  );
}

import { ActionIcon, Checkbox } from '@mantine/core';
import { memo } from 'react';
import { useBegin } from '../actions/actions';
import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { lockHref } from '../shell/route';
import { Countdown } from '../ui/countdown';
import { HeldBy } from '../ui/held-by';
import { Icon } from '../ui/icon';
import { stateAt } from '../ui/lease-time';
import { Name } from '../ui/name';
import { StateBadge } from '../ui/state-badge';
import { Ago, Moment } from '../ui/time';
import { visibleText } from '../ui/visible-text';
import classes from './list.module.css';

interface LockRowProps {
  lock: Lock;
  selected: boolean;
  onToggle: (lock: Lock) => void;
  selectable: boolean;
}

export const LockRow = memo(function LockRow({ lock, selected, onToggle, selectable }: LockRowProps) {
  const { t, formats } = useLanguage();
  return (
    <tr data-row={lock.lockName} data-selected={selected || undefined}>
      {selectable && (
        <td data-column="select">
          <Checkbox
            size="xs"
            aria-label={t('list.select', { name: visibleText(lock.lockName) })}
            checked={selected}
            onChange={() => {
              onToggle(lock);
            }}
          />
        </td>
      )}
      <th scope="row" data-column="lockName">
        <a className={classes.link} href={lockHref(lock.lockName)} data-row-link>
          <Name value={lock.lockName} truncate />
        </a>
        <div className={classes.second} data-shared={lock.mode === 'shared' || undefined}>
          <StateBadge lock={lock} />
          <HeldBy lock={lock} />
        </div>
      </th>
      <td data-column="state">
        <StateBadge lock={lock} />
      </td>
      <td data-column="workerName">
        {lock.workerName === null ? <span className={classes.none}>–</span> : <HeldBy lock={lock} />}
      </td>
      <td data-column="lockTime">
        <Ago time={lock.lockTime} />
      </td>
      <td data-column="expireTime">
        <Moment time={lock.expireTime} />
      </td>
      <td data-column="remaining">
        <Countdown lock={lock} />
      </td>
      <td data-column="waiting" data-numeric>
        {lock.waiting === 0 ? (
          <span className={classes.none}>0</span>
        ) : (
          <strong className={classes.waiting} data-tip={t('queue.count', { count: lock.waiting })}>
            {formats.number(lock.waiting)}
          </strong>
        )}
      </td>
      <td data-column="fencingToken" data-numeric>
        {lock.fencingToken}
      </td>
      {selectable && (
        <td data-column="act">
          <ForceButton lock={lock} />
        </td>
      )}
    </tr>
  );
});

/** The short way at night: from the row straight to the reason. */
function ForceButton({ lock }: { lock: Lock }) {
  const { t } = useLanguage();
  const begin = useBegin();
  if (stateAt(lock, useNow()) !== 'held') return null;
  return (
    <ActionIcon
      className={classes.force}
      variant="subtle"
      color="gray"
      size="sm"
      aria-label={t('list.force', { name: visibleText(lock.lockName) })}
      data-tip={t('action.forceRelease')}
      onClick={() => {
        begin({ kind: 'force', lock });
      }}
    >
      <Icon name="unlock" />
    </ActionIcon>
  );
}

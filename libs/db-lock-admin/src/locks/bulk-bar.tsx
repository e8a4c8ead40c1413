import { Button } from '@mantine/core';
import { useBegin } from '../actions/actions';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { useMay } from '../shell/session';
import { Icon } from '../ui/icon';
import { stateAt } from '../ui/lease-time';
import classes from './list.module.css';
import { MOST_SELECTED, type Selection } from './selection';

/** What can be done with the selected locks. */
export function BulkBar({ selection }: { selection: Selection }) {
  const { t } = useLanguage();
  const begin = useBegin();
  const now = useNow();
  const mayEdit = useMay('edit');
  const { locks, notShown } = selection;
  const held = locks.filter((lock) => stateAt(lock, now) === 'held');
  const released = locks.filter((lock) => lock.state === 'released');
  if (locks.length === 0) return null;
  return (
    <section className={classes.bulk} aria-label={t('bulk.label')}>
      <span className={classes.bulkCount} role="status">
        {t(notShown === 0 ? 'bulk.selected' : 'bulk.selectedNotShown', { count: locks.length, notShown })}
        {locks.length === MOST_SELECTED && ` ${t('bulk.most')}`}
      </span>
      <Button
        size="sm"
        color="red.9"
        leftSection={<Icon name="unlock" size={15} />}
        disabled={held.length === 0}
        onClick={() => {
          begin({ kind: 'force-all', locks: held, onDone: selection.clear });
        }}
      >
        {t('bulk.force', { count: held.length })}
      </Button>
      {mayEdit && (
        <Button
          size="sm"
          variant="default"
          leftSection={<Icon name="trash" size={15} />}
          disabled={released.length === 0}
          onClick={() => {
            begin({ kind: 'delete', locks: released, onDone: selection.clear });
          }}
        >
          {t('bulk.delete', { count: released.length })}
        </Button>
      )}
      <Button size="sm" variant="subtle" color="gray" onClick={selection.clear}>
        {t('bulk.clear')}
      </Button>
    </section>
  );
}

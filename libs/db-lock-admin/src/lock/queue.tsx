import { Button } from '@mantine/core';
import { useState } from 'react';
import type { LockWithQueue } from '../api/contract';
import { useLanguage } from '../language/language';
import { Name } from '../ui/name';
import { modeText } from '../ui/share-text';
import { Elapsed } from '../ui/time';
import classes from './lock.module.css';

/** How many are shown at first: what follows the queue matters too. */
const FIRST = 10;

/** Who waits for the lock, first come first. */
export function Queue({ lock }: { lock: LockWithQueue }) {
  const language = useLanguage();
  const { t, formats } = language;
  const [all, setAll] = useState(false);
  const shown = all ? lock.queue : lock.queue.slice(0, FIRST);
  const unseen = lock.waiting - lock.queue.length;
  // Where nothing is shared, each waits for the lock alone.
  const tellsModes = lock.mode === 'shared' || lock.queue.some(({ mode }) => mode === 'shared');
  return (
    <section className={classes.card} aria-labelledby="queue">
      <h2 id="queue">
        {t('queue.title')} <span className={classes.number}>{formats.number(lock.waiting)}</span>
      </h2>
      {lock.queue.length === 0 ? (
        <p className={classes.nothing}>{t('queue.none')}</p>
      ) : (
        <ol className={classes.queue}>
          {shown.map((waiter, index) => (
            <li key={`${waiter.since} ${waiter.workerName} ${index}`}>
              <span className={classes.place}>{formats.number(index + 1)}</span>
              <Name value={waiter.workerName} truncate />
              {tellsModes && <span className={classes.mode}>{modeText(waiter, language)}</span>}
              <Elapsed since={waiter.since} />
            </li>
          ))}
        </ol>
      )}
      {shown.length < lock.queue.length && (
        <Button
          size="sm"
          variant="default"
          className={classes.older}
          onClick={() => {
            setAll(true);
          }}
        >
          {t('queue.all', { count: lock.queue.length })}
        </Button>
      )}
      {all && unseen > 0 && <p className={classes.nothing}>{t('queue.more', { count: unseen })}</p>}
    </section>
  );
}

import { Button, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import type { EventKind, LockEvent } from '../api/contract';
import { useHistory } from '../api/queries';
import { useLanguage } from '../language/language';
import { useSession } from '../shell/session';
import { Bone } from '../ui/bones';
import { Icon, type IconName } from '../ui/icon';
import { timeOf } from '../ui/lease-time';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import { Ago, Exact } from '../ui/time';
import { visibleText } from '../ui/visible-text';
import { eventText } from './event-text';
import classes from './lock.module.css';

const ICONS: Record<EventKind, IconName> = {
  acquired: 'lock',
  created: 'plus',
  renewed: 'refresh',
  downgraded: 'people',
  edited: 'edit',
  waited: 'queue',
  released: 'unlock',
  forced: 'alert',
  lost: 'alert',
  expired: 'clock',
  cleared: 'eraser',
  deleted: 'trash',
};

const TONES: Partial<Record<EventKind, string>> = {
  acquired: 'good',
  created: 'good',
  forced: 'bad',
  lost: 'bad',
  expired: 'warn',
};

/** Which events are shown, of those that were read: a crowd of waiters hides all else. */
const SHOWN = {
  all: () => true,
  withoutWaits: ({ event }: LockEvent) => event !== 'waited',
  operators: ({ actor }: LockEvent) => actor !== null,
};
type Shown = keyof typeof SHOWN;
const SHOWN_KEYS = Object.keys(SHOWN) as Shown[];

/** What happened to the lock, newest first. */
export function History({ lockName }: { lockName: string }) {
  const { t } = useLanguage();
  const { history: recorded } = useSession();
  const history = useHistory(lockName, recorded);
  const [shown, setShown] = useState<Shown>('all');
  const events = history.data?.pages.flatMap(({ items }) => items);
  const matching = events?.filter((event) => SHOWN[shown](event));

  return (
    <section className={classes.card} aria-labelledby="history">
      <h2 id="history">{t('history.title')}</h2>
      {!recorded && <p className={classes.nothing}>{t('history.off')}</p>}
      {history.error && (
        <ProblemNotice
          error={history.error}
          stale={events !== undefined}
          retrying={history.isFetching}
          onRetry={() => void history.refetch()}
        />
      )}
      {recorded && events === undefined && !history.error && <Loading />}
      {events?.length === 0 && <p className={classes.nothing}>{t('history.none')}</p>}
      {events !== undefined && events.length > 0 && (
        <SegmentedControl
          className={classes.filter}
          size="xs"
          withItemsBorders={false}
          transitionDuration={0}
          aria-label={t('history.show')}
          value={shown}
          data={SHOWN_KEYS.map((value) => ({ value, label: t(`history.${value}`) }))}
          onChange={setShown}
        />
      )}
      {matching?.length === 0 && events !== undefined && events.length > 0 && (
        <p className={classes.nothing}>{t('history.noneShown', { count: events.length })}</p>
      )}
      {matching !== undefined && matching.length > 0 && (
        <table className={classes.events}>
          <caption className={classes.hidden}>{t('history.title')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('history.event')}</th>
              <th scope="col">{t('field.worker')}</th>
              <th scope="col" data-numeric>
                {t('field.token')}
              </th>
              <th scope="col">{t('history.why')}</th>
              <th scope="col">{t('history.time')}</th>
            </tr>
          </thead>
          <tbody>
            {matching.map((event) => (
              <Row key={event.id} event={event} />
            ))}
          </tbody>
        </table>
      )}
      {history.hasNextPage && (
        <Button
          size="sm"
          variant="default"
          className={classes.older}
          loading={history.isFetchingNextPage}
          onClick={() => void history.fetchNextPage()}
        >
          {t('history.older')}
        </Button>
      )}
    </section>
  );
}

function Row({ event }: { event: LockEvent }) {
  const language = useLanguage();
  const { t, formats } = language;
  const text = eventText(event, language);
  return (
    <tr>
      <td data-column="event">
        <span className={classes.event} data-tone={TONES[event.event]}>
          <Icon name={ICONS[event.event]} size={14} />
          {t(`event.${event.event}`)}
        </span>
      </td>
      <td data-column="worker">
        {event.workerName === null ? '–' : <Name value={event.workerName} truncate />}
      </td>
      <td data-column="token" data-numeric>
        {event.fencingToken ?? '–'}
      </td>
      <td data-column="why">
        {event.reason !== null && <div className={classes.reason}>{visibleText(event.reason)}</div>}
        <div className={classes.by}>
          {event.actor !== null && t('event.by', { actor: visibleText(event.actor) })}
          {event.actor !== null && text !== null && ' · '}
          {text}
        </div>
      </td>
      <td data-column="time" aria-label={formats.full(timeOf(event.eventTime))}>
        <Exact time={event.eventTime} />
        <div className={classes.by}>
          <Ago time={event.eventTime} />
        </div>
      </td>
    </tr>
  );
}

function Loading() {
  return (
    <div aria-hidden="true">
      {[70, 55, 62].map((width) => (
        <p key={width}>
          <Bone width={`${width}%`} />
        </p>
      ))}
    </div>
  );
}

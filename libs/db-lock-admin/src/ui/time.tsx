import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { timeOf } from './lease-time';

/** How long ago, with the exact time in the tooltip. */
export function Ago({ time }: { time: string }) {
  const { formats } = useLanguage();
  const now = useNow();
  const moment = timeOf(time);
  return (
    <time dateTime={time} data-tip={formats.full(moment)}>
      {formats.ago(moment, now)}
    </time>
  );
}

/** The time of day, with the date when it is another day. */
export function Moment({ time }: { time: string }) {
  const { formats } = useLanguage();
  const now = useNow();
  const moment = timeOf(time);
  return (
    <time dateTime={time} data-tip={formats.full(moment)}>
      {formats.time(moment, now)}
    </time>
  );
}

/** The time of day to the second, whatever the day. */
export function Exact({ time }: { time: string }) {
  const { formats } = useLanguage();
  const now = useNow();
  const moment = timeOf(time);
  return (
    <time dateTime={time} data-tip={formats.full(moment)}>
      {formats.exact(moment, now)}
    </time>
  );
}

/** How long it has lasted, counting on. */
export function Elapsed({ since }: { since: string }) {
  const { formats } = useLanguage();
  const now = useNow();
  const start = timeOf(since);
  return <span data-tip={formats.full(start)}>{formats.duration(now - start)}</span>;
}

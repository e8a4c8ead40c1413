import type { Formats } from '../language/formats';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import { timeOf } from './lease-time';

interface TimeProps {
  time: string;
}

/** How long ago. */
export const Ago = ({ time }: TimeProps) => <InWords time={time} as="ago" />;

/** The time of day, with the date when it is another day. */
export const Moment = ({ time }: TimeProps) => <InWords time={time} as="time" />;

/** The time of day to the second, whatever the day. */
export const Exact = ({ time }: TimeProps) => <InWords time={time} as="exact" />;

/** A time in words, with the exact one in the tooltip. */
function InWords({ time, as }: TimeProps & { as: keyof Pick<Formats, 'ago' | 'time' | 'exact'> }) {
  const { formats } = useLanguage();
  const now = useNow();
  const moment = timeOf(time);
  return (
    <time dateTime={time} data-tip={formats.full(moment)}>
      {formats[as](moment, now)}
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

import type { EventKind, LockEvent } from '../api/contract';
import type { Language } from '../language/language';
import { timeOf } from '../ui/lease-time';
import { modeText } from '../ui/share-text';
import { visibleText } from '../ui/visible-text';

/** What an event's details say, in words; null when they say nothing that the row doesn't. */
export function eventText({ event, details }: LockEvent, language: Language): string | null {
  if (details === null) return null;
  const { share, rest } = apart(details);
  const said = Object.keys(rest).length > 0 ? restText(event, rest, language) : null;
  const parts = [share && modeText(share, language), said].filter((part) => part !== null);
  return parts.length > 0 ? parts.join(' · ') : null;
}

/** How the lease is held or wanted, where that is told, and all else. */
function apart(details: Record<string, unknown>) {
  const { mode, permits, limit, ...rest } = details;
  if (mode !== 'shared' || typeof permits !== 'number') return { share: null, rest: details };
  return { share: { mode, permits, limit: typeof limit === 'number' ? limit : null } as const, rest };
}

function restText(event: EventKind, details: Record<string, unknown>, { t, formats }: Language): string {
  switch (event) {
    case 'acquired':
      return typeof details.wait === 'number'
        ? t('event.afterWait', { duration: formats.duration(details.wait, true) })
        : other(details);
    case 'waited':
      return typeof details.holder === 'string'
        ? t('event.behind', { worker: visibleText(details.holder) })
        : other(details);
    case 'edited':
      return editText(details, { t, formats });
    default:
      return other(details);
  }
}

function editText(details: Record<string, unknown>, { t, formats }: Pick<Language, 't' | 'formats'>): string {
  const parts: string[] = [];
  const { expireTime, metadata } = details;
  if (isChange(expireTime)) {
    parts.push(
      t('event.expireTime', {
        from: formats.dayAndTime(timeOf(String(expireTime.from))),
        to: formats.dayAndTime(timeOf(String(expireTime.to))),
      }),
    );
  }
  if (isChange(metadata)) {
    parts.push(t('event.metadata', { from: jsonOf(metadata.from), to: jsonOf(metadata.to) }));
  }
  return parts.length > 0 ? parts.join(' · ') : other(details);
}

function isChange(value: unknown): value is { from: unknown; to: unknown } {
  return typeof value === 'object' && value !== null && 'from' in value && 'to' in value;
}

const jsonOf = (value: unknown) => visibleText(JSON.stringify(value) ?? '–');
const other = (details: Record<string, unknown>) => jsonOf(details);

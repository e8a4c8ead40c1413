import type { Lock, LockMode, Share } from '../api/contract';
import type { Language } from '../language/language';

type Speech = Pick<Language, 't' | 'formats'>;

/** How many permits are taken of the limits that were asked for: `4 of 5–8`; null where nobody asked for one. */
export function permitsOf(lock: Lock, { t, formats }: Speech): string | null {
  const limits = limitsOf(lock);
  if (limits === null) return null;
  return t('permits.share', {
    permits: lock.permits ?? 0,
    limit: formats.range(limits.lowest, limits.highest),
  });
}

/** The same where it must say what it is: `4 of 5–8 permits`. */
export function permitsText(lock: Lock, { t, formats }: Speech): string | null {
  const limits = limitsOf(lock);
  if (limits === null) return null;
  const { lowest, highest } = limits;
  return t('permits.of', { held: lock.permits ?? 0, limits: formats.range(lowest, highest), count: highest });
}

function limitsOf({ limits = [] }: Lock): { lowest: number; highest: number } | null {
  const [lowest] = limits;
  return lowest === undefined ? null : { lowest, highest: limits.at(-1)! };
}

/** How a lease is held, or wanted: `shared, 2 of 5 permits`. */
export function modeText({ mode, permits = 1, limit = null }: Share & { mode: LockMode }, { t }: Speech) {
  if (mode === 'exclusive') return t('share.exclusive');
  if (limit !== null) return t('share.limited', { permits, count: limit });
  return permits === 1 ? t('share.any') : t('share.permits', { count: permits });
}

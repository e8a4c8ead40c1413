import type { MessageKey } from '../language/catalogue';
import { ProblemError } from '../api/problem';
import type { Translate } from '../language/language';

const KNOWN: Record<string, MessageKey> = {
  NETWORK: 'problem.network',
  LOCK_BUSY: 'problem.busy',
  LOCK_NOT_FOUND: 'problem.notFound',
  LOCK_CHANGED: 'problem.changed',
  CROSS_SITE: 'problem.crossSite',
};

const BY_STATUS: Record<number, MessageKey> = {
  400: 'problem.invalid',
  401: 'problem.unauthorized',
  403: 'problem.forbidden',
  404: 'problem.notFound',
  503: 'problem.unavailable',
};

/** What went wrong in the operator's language, and what the server says of it. */
export function problemText(error: unknown, t: Translate): { title: string; detail: string | null } {
  if (!(error instanceof ProblemError)) return { title: t('problem.unknown'), detail: String(error) };
  const key = KNOWN[error.code] ?? BY_STATUS[error.status] ?? 'problem.unknown';
  return { title: t(key), detail: error.problem.detail ?? error.problem.title ?? null };
}

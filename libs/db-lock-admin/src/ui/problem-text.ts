import type { MessageKey } from '../language/catalogue';
import { ProblemError } from '../api/problem';
import type { Translate } from '../language/language';

const KNOWN: Record<string, MessageKey> = {
  NETWORK: 'problem.network',
  LOCK_BUSY: 'problem.busy',
  LOCK_NOT_FOUND: 'problem.notFound',
  LOCK_CHANGED: 'problem.changed',
  CROSS_SITE: 'problem.crossSite',
  STORE_UNAVAILABLE: 'problem.unavailable',
  OVERLOADED: 'problem.overloaded',
};

/** What Nest says where nobody says more: no more than the status. */
const SAYS_NOTHING = ['Unauthorized', 'Forbidden', 'Forbidden resource'];

const BY_STATUS: Record<number, MessageKey> = {
  400: 'problem.invalid',
  401: 'problem.unauthorized',
  403: 'problem.forbidden',
  404: 'problem.notFound',
  503: 'problem.unavailable',
};

/**
 * What went wrong in the operator's language; and what the server says of it, in English, where the code alone does not tell.
 * Of an act without an answer, that nobody knows whether it was done.
 */
export function problemText(
  error: unknown,
  t: Translate,
  { act = false } = {},
): { title: string; detail: string | null } {
  if (!(error instanceof ProblemError)) return { title: t('problem.unknown'), detail: String(error) };
  const { code, status, problem } = error;
  const known = KNOWN[code];
  const title = t(
    act && status === 403 && !known ? 'problem.mayNot' : (known ?? BY_STATUS[status] ?? 'problem.unknown'),
  );
  if (act && error.isWithoutAnswer) return { title, detail: t('problem.doneUnknown') };
  const said = problem.detail ?? problem.title ?? null;
  return { title, detail: known || said === null || SAYS_NOTHING.includes(said) ? null : said };
}

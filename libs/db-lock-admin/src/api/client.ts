import { serverClock } from '../live/server-clock';
import type { Problem } from './contract';
import { ProblemError } from './problem';

export type Query = Record<string, string | number | null | undefined>;

const JSON_TYPE = 'application/json';

/** Milliseconds that an answer may take. */
const TIME_LIMIT = 30_000;

/** An address below the page's base, which is where the API is, whatever the page is mounted at. */
export function apiAddress(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return new URL(`api/${path}${text === '' ? '' : `?${text}`}`, document.baseURI).href;
}

export function lockPath(lockName: string): string {
  return `locks/${encodeURIComponent(lockName)}`;
}

export function get<T>(path: string, query: Query, signal: AbortSignal): Promise<T> {
  return exchange<T>(apiAddress(path, query), { signal, headers: { accept: JSON_TYPE } });
}

export function send<T>(method: 'POST' | 'PATCH', path: string, body?: object): Promise<T> {
  return exchange<T>(apiAddress(path), {
    method,
    headers: { accept: JSON_TYPE, ...(body && { 'content-type': JSON_TYPE }) },
    ...(body && { body: JSON.stringify(body) }),
  });
}

async function exchange<T>(address: string, init: RequestInit): Promise<T> {
  const sentAt = performance.now();
  const response = await answerTo(address, init);
  const body = await bodyOf(response);
  if (!response.ok) throw new ProblemError(response.status, problemIn(body));
  if (body === null) throw new ProblemError(0, {}); // cut off on its way
  serverClock.observeAnswer(body, sentAt);
  return body as T;
}

async function answerTo(address: string, init: RequestInit): Promise<Response> {
  try {
    const limit = AbortSignal.timeout(TIME_LIMIT);
    return await fetch(address, {
      cache: 'no-store',
      ...init,
      signal: init.signal ? AbortSignal.any([init.signal, limit]) : limit,
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ProblemError(0, {});
  }
}

/** The JSON of an answer; null when it has none, which a proxy's error page has not. */
async function bodyOf(response: Response): Promise<unknown> {
  try {
    const body: unknown = await response.json();
    return body;
  } catch {
    return null;
  }
}

function problemIn(body: unknown): Problem {
  return typeof body === 'object' && body !== null ? body : {};
}

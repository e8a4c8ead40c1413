import { useSyncExternalStore } from 'react';

/** Where the operator is: everything after the `#`. */
export interface Route {
  path: string;
  query: URLSearchParams;
}

const listeners = new Set<() => void>();

/** How far down each step of the browser's history was scrolled, by the number in its state. */
const scrolled = new Map<number, number>();
let step = 0;
let lastStep = 0;
/** Whether the operator came here by the browser's own way back or forth. */
let cameBack = false;

function announce(): void {
  enter();
  for (const listener of listeners) listener();
}

/** A step without a number is a new one; who comes back to one finds it there. */
function enter(): void {
  const known = (history.state as { step?: unknown } | null)?.step;
  if (typeof known === 'number') {
    cameBack = known !== step;
    step = known;
    lastStep = Math.max(lastStep, known);
    return;
  }
  cameBack = false;
  step = lastStep += 1;
  history.replaceState({ step }, '');
}

function noteScroll(): void {
  scrolled.set(step, window.scrollY);
}

/** Where the page was scrolled to when the operator left it; null where they have not been before. */
export function scrollToReturnTo(): number | null {
  return cameBack ? (scrolled.get(step) ?? 0) : null;
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    enter();
    window.addEventListener('hashchange', announce);
    document.addEventListener('scroll', noteScroll, { passive: true });
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    window.removeEventListener('hashchange', announce);
    document.removeEventListener('scroll', noteScroll);
  };
}

let parsedHash: string | undefined;
let route: Route = { path: '/', query: new URLSearchParams() };

/** The same object for the same address, so that it may be compared. */
export function currentRoute(): Route {
  if (location.hash !== parsedHash) {
    parsedHash = location.hash;
    const [path = '', ...query] = parsedHash.slice(1).split('?');
    route = { path: path === '' ? '/' : path, query: new URLSearchParams(query.join('?')) };
  }
  return route;
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, currentRoute);
}

/** A link within the page. The document's base is another address than its own, so `#…` alone would leave it. */
export function hrefOf(path: string, query?: URLSearchParams): string {
  const text = query?.toString() ?? '';
  return `${location.pathname}${location.search}#${path}${text === '' ? '' : `?${text}`}`;
}

export function navigate(href: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', href);
  else history.replaceState(history.state, '', href);
  announce();
}

export const LOCK_PATH = '/lock/';
export const OVERVIEW_PATH = '/overview';

export function lockHref(lockName: string): string {
  return hrefOf(LOCK_PATH + encodeURIComponent(lockName));
}

/** The name in the address of a lock's page; null when nobody could have linked to it. */
export function lockNameIn(path: string): string | null {
  try {
    return decodeURIComponent(path.slice(LOCK_PATH.length)) || null;
  } catch {
    return null;
  }
}

let listQuery = new URLSearchParams();

/** Remembers how the list was shown, for the way back to it. */
export function rememberList(query: URLSearchParams): void {
  listQuery = query;
}

export function listHref(): string {
  return hrefOf('/', listQuery);
}

import {
  SORT_KEYS,
  STATE_FILTERS,
  type LockFilter,
  type LockQuery,
  type SortKey,
  type StateFilter,
} from '../api/contract';
import { hrefOf } from '../shell/route';

/** How the list is shown: all of it stands in the address. */
export interface ListView extends LockQuery {
  /** Whether names are grouped by their next colon. */
  grouped: boolean;
}

export const PAGE_SIZES = [25, 50, 100, 200] as const;

export const DEFAULT_VIEW: ListView = {
  search: '',
  state: null,
  prefix: '',
  grouped: false,
  sort: 'lockName',
  order: 'asc',
  page: 1,
  pageSize: 50,
};

export function viewOf(query: URLSearchParams): ListView {
  return {
    search: query.get('search') ?? '',
    state: oneOf(STATE_FILTERS, query.get('state')),
    prefix: query.get('prefix') ?? '',
    grouped: query.get('group') === '1',
    sort: oneOf(SORT_KEYS, query.get('sort')) ?? DEFAULT_VIEW.sort,
    order: query.get('order') === 'desc' ? 'desc' : 'asc',
    page: wholeNumber(query.get('page')) ?? DEFAULT_VIEW.page,
    pageSize: PAGE_SIZES.find((size) => String(size) === query.get('pageSize')) ?? DEFAULT_VIEW.pageSize,
  };
}

/** Only what differs from the usual, so that addresses stay short. */
export function queryOf(view: ListView): URLSearchParams {
  const query = new URLSearchParams();
  if (view.search !== '') query.set('search', view.search);
  if (view.state !== null) query.set('state', view.state);
  if (view.prefix !== '') query.set('prefix', view.prefix);
  if (view.grouped) query.set('group', '1');
  if (view.sort !== DEFAULT_VIEW.sort) query.set('sort', view.sort);
  if (view.order !== DEFAULT_VIEW.order) query.set('order', view.order);
  if (view.page !== DEFAULT_VIEW.page) query.set('page', String(view.page));
  if (view.pageSize !== DEFAULT_VIEW.pageSize) query.set('pageSize', String(view.pageSize));
  return query;
}

/** The list in another view; from its first page, unless the page is what changes. */
export function viewHref(view: ListView, change: Partial<ListView>): string {
  return hrefOf('/', queryOf({ ...view, page: 1, ...change }));
}

export function stateHref(state: StateFilter): string {
  return viewHref(DEFAULT_VIEW, { state });
}

export function lockQueryOf(view: ListView): LockQuery {
  const { search, state, prefix, sort, order, page, pageSize } = view;
  return { search, state, prefix, sort, order, page, pageSize };
}

export function filterOf({ search, state, prefix }: ListView): LockFilter {
  return { search, state, prefix };
}

export function isFiltered({ search, state, prefix }: LockFilter): boolean {
  return search !== '' || state !== null || prefix !== '';
}

/** Names and small numbers are looked for from the first, times and crowds from the last. */
export function firstOrderOf(sort: SortKey): 'asc' | 'desc' {
  return sort === 'lockTime' || sort === 'waiting' || sort === 'fencingToken' ? 'desc' : 'asc';
}

function oneOf<T extends string>(values: readonly T[], text: string | null): T | null {
  return values.find((value) => value === text) ?? null;
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

import { byBytes } from '../lease/names.js';
import type { SortField } from './lock-desk.js';
import type { LockRecord } from './lock-store.js';

/** The order of a list, and then that of names. Locks without a worker come last, either way. */
export const inOrder =
  (sort: SortField, order: 'asc' | 'desc') =>
  (one: LockRecord, other: LockRecord): number =>
    compare(one[sort], other[sort], order) || byBytes(one.lockName, other.lockName);

type Sorted = LockRecord[SortField];

function compare(left: Sorted, right: Sorted, order: 'asc' | 'desc'): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  const difference = typeof left === 'string' ? byBytes(left, right as string) : Number(left) - Number(right);
  return order === 'asc' ? difference : -difference;
}

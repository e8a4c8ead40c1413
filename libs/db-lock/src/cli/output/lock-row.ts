import type { LockJson } from '../ways/way.js';
import type { Output } from './output.js';
import type { Cell } from './table.js';
import { since, until } from './times.js';
import { visible } from './visible.js';

export const LOCK_COLUMNS = ['NAME', 'STATE', 'HELD BY', 'SINCE', 'LEFT', 'WAITING', 'TOKEN'];

/** Nothing to show. */
export const NOTHING = '–';

const COLOURS = { held: 'green', expired: 'red', released: 'gray' } as const;

/** A lock among others, by the server's clock. */
export function lockRow(lock: LockJson, now: string, out: Output): Cell[] {
  const isHeld = lock.state === 'held';
  return [
    visible(lock.lockName),
    stateCell(lock, out),
    holderText(lock),
    lock.state === 'released' ? NOTHING : since(lock.lockTime, now),
    isHeld ? until(lock.expireTime, now) : NOTHING,
    lock.waiting > 0 ? { text: String(lock.waiting), paint: out.paint('yellow') } : NOTHING,
    String(lock.fencingToken),
  ];
}

export function stateCell({ state, mode }: LockJson, out: Output): Cell {
  return { text: mode === 'shared' ? 'shared' : state, paint: out.paint(COLOURS[state]) };
}

/** Who holds it, or held it last: of several the newest, and how many more. */
export function holderText({ workerName, holderCount }: LockJson): string {
  if (workerName === null) return NOTHING;
  return holderCount > 1 ? `${visible(workerName)} and ${holderCount - 1} more` : visible(workerName);
}

import type { InspectedLockJson } from '../ways/way.js';
import { holderText, NOTHING, stateCell } from './lock-row.js';
import type { Output } from './output.js';
import { Table, type Cell } from './table.js';
import { since, until } from './times.js';
import { spelt, visible } from './visible.js';

/** All that there is of one lock, as lines. */
export function lockFacts(lock: InspectedLockJson, out: Output): string[] {
  const { serverTime: now, expireTime, metadata } = lock;
  const left =
    Date.parse(expireTime) >= Date.parse(now)
      ? `in ${until(expireTime, now)}`
      : `${since(expireTime, now)} ago`;
  const facts: Cell[][] = [
    ['name', visible(lock.lockName)],
    ['state', stateCell(lock, out)],
    ['held by', holderText(lock)],
    ['since', `${lock.lockTime}, ${since(lock.lockTime, now)} ago`],
    ['until', `${expireTime}, ${left}`],
    ['token', String(lock.fencingToken)],
    ['metadata', metadata ? spelt(JSON.stringify(metadata)) : NOTHING],
    ['waiting', String(lock.waiting)],
  ];
  return [...linesOf([], facts, out), ...holders(lock, out), ...queue(lock, out)];
}

/** Where several share it, each of them. */
function holders({ holders, serverTime: now }: InspectedLockJson, out: Output): string[] {
  if (holders.length < 2) return [];
  const rows = holders.map(({ workerName, lockTime, expireTime, fencingToken, permits, limit }) => [
    visible(workerName),
    since(lockTime, now),
    until(expireTime, now),
    `${permits ?? NOTHING} of ${limit ?? 'any'}`,
    String(fencingToken),
  ]);
  return ['', ...linesOf(['HOLDER', 'SINCE', 'LEFT', 'PERMITS', 'TOKEN'], rows, out)];
}

function queue({ queue, serverTime: now }: InspectedLockJson, out: Output): string[] {
  if (queue.length === 0) return [];
  const rows = queue.map(({ workerName, since: begun, mode }, index) => [
    String(index + 1),
    visible(workerName),
    since(begun, now),
    mode,
  ]);
  return ['', ...linesOf(['#', 'WAITING', 'SINCE', 'MODE'], rows, out)];
}

function linesOf(header: string[], rows: Cell[][], out: Output): string[] {
  const table = new Table(header, out.paint('bold'));
  return header.length === 0 ? table.lines(rows) : [table.head(rows), ...table.lines(rows)];
}

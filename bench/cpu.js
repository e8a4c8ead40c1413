import { readFileSync } from 'node:fs';

/** The kernel counts in hundredths of a second. */
const TICK = 10_000;

/**
 * The CPU time that processes have used so far, in µs. Connections stay open for as long as the benchmark runs, so the
 * difference of two looks counts them all.
 *
 * @param {number[]} pids
 * @returns {number | undefined} undefined when the processes can't be seen: on another machine, or not on Linux
 */
export function cpuOf(pids) {
  try {
    return pids.map(ticksOf).reduce((sum, ticks) => sum + ticks, 0) * TICK;
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function ticksOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  if (!stat.includes('(postgres)')) throw new Error(`Process ${pid} is no PostgreSQL`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

import { readFileSync } from 'node:fs';

/** The kernel counts in hundredths of a second. */
const TICK = 10_000;

/**
 * The CPU time that a process and its children have used so far, also those children that have ended, in µs.
 *
 * @param {number} pid
 * @param {string} [program] - what must run there: a server on another machine may have the pid of something else here
 * @returns {number | undefined} undefined when it can't be seen: not on this machine, or not on Linux
 */
export function cpuOf(pid, program) {
  try {
    if (program !== undefined && programOf(pid) !== program) return undefined;
    return childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), ticksOf(pid)) * TICK;
  } catch {
    return undefined;
  }
}

/** The process that started another; undefined when it can't be seen. @param {number} pid @param {string} program */
export function parentOf(pid, program) {
  try {
    return programOf(pid) === program ? Number(fieldsOf(pid)[1]) : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Of the process itself, and of the children that it has seen end. @param {number} pid */
function ticksOf(pid) {
  try {
    return fieldsOf(pid)
      .slice(11, 15)
      .reduce((sum, ticks) => sum + Number(ticks), 0);
  } catch {
    return 0; // It has ended meanwhile, and its parent knows.
  }
}

/** What follows the program's name: its state, its parent, … @param {number} pid */
function fieldsOf(pid) {
  const stat = statOf(pid);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** @param {number} pid */
function programOf(pid) {
  return /\((.*)\)/.exec(statOf(pid))?.[1];
}

/** @param {number} pid */
const statOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8');

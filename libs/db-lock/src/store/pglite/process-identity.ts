import { readFileSync } from 'node:fs';

/** A process, told apart from a later one that was given the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Linux: when the process started, in clock ticks since boot. Elsewhere a recycled pid can't be recognised. */
  startTime?: string;
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTime: procStat(process.pid)?.startTime };
}

/** Whether that process still runs; true when in doubt. */
export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  const stat = procStat(pid);
  if (!stat) return exists(pid);
  return !stat.ended && (startTime === undefined || startTime === stat.startTime);
}

/** What Linux tells about a process in /proc; undefined when there is no such process, and on other systems. */
function procStat(pid: number): { startTime: string; ended: boolean } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // "pid (command) state …": the command may hold spaces and brackets, so the fields are counted from its end
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { ended: state === 'Z' || state === 'X', startTime: rest[18]! };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

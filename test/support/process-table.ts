import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessEntry {
  pid: number;
  parent: number;
  /** The kernel's letter: T is stopped, Z has ended and waits for its parent to notice. */
  state: string;
}

/** The pids of the processes that `parent` started and that have not ended. */
export function childrenOf(parent: number): number[] {
  return livingProcesses()
    .filter((entry) => entry.parent === parent)
    .map((entry) => entry.pid);
}

export function areGone(pids: number[]): boolean {
  return livingProcesses().every((entry) => !pids.includes(entry.pid));
}

/** Whether each of the processes is stopped, as by SIGSTOP, or gone. */
export function areStopped(pids: number[]): boolean {
  return livingProcesses().every((entry) => !pids.includes(entry.pid) || entry.state === 'T');
}

/** Sends the signal to those of the processes that still exist. */
export function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function livingProcesses(): ProcessEntry[] {
  const entries = process.platform === 'linux' ? entriesOfProc() : entriesOfPs();
  return entries.filter((entry) => entry.state !== 'Z');
}

/** Linux: slim container images have no ps. */
function entriesOfProc(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = readStat(pid);
      if (stat === undefined) return [];
      const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { pid: Number(pid), parent: Number(parent), state };
    });
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
}

function entriesOfPs(): ProcessEntry[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state='], { encoding: 'utf8' })
    .trim()
    .split('\n');
  return lines.map((line) => {
    const [pid, parent, state = ''] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state: state.charAt(0) };
  });
}

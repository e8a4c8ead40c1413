import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Reads the pids to watch, a line at a time, until its standard input closes, which it does however the
 * process at the other end came to die. Then it shuts PostgreSQL down at once (SIGQUIT), kills what is left
 * after five seconds and removes the directory.
 */
const SCRIPT = `
  while read -r line; do pids=$line; done
  if [ -n "$pids" ]; then
    kill -CONT $pids
    kill -QUIT \${pids%% *}
    patience=50
    while [ $patience -gt 0 ] && kill -0 \${pids%% *}; do
      patience=$((patience - 1))
      sleep 0.1
    done
    kill -KILL $pids
  fi
  rm -rf "$1"
`;

/**
 * A small shell process that outlives this one, to clean up after it. An 'exit' listener would not do: jest
 * never calls those of its tests, and nobody calls them on SIGKILL.
 */
export class OrphanGuard {
  private readonly shell: ChildProcess;
  private readonly input: Socket;

  /** @param directory - removed once this process has ended */
  constructor(directory: string) {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT, 'orphan-guard', directory], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.shell.unref();
    this.input = this.shell.stdin as Socket;
    this.input.unref();
  }

  /** Names the processes to end, instead of those named before; the first is the one in charge. */
  watch(pids: number[]): void {
    this.input.write(`${pids.join(' ')}\n`);
  }

  /** Ends the guard, when there is nothing left to clean up. */
  release(): void {
    this.shell.kill('SIGKILL');
    this.input.destroy();
  }
}

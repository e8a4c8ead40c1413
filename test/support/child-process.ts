import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './patience.js';

const WORKSPACE = fileURLToPath(new URL('../..', import.meta.url));

/** Milliseconds that a child gets to print a line: its start may take a while on a busy machine. */
const PATIENCE = 180_000;

/**
 * A module, given as JavaScript source, that runs in a Node process of its own, with the options of this one. It may import
 * `nestjs-db-lock`, its subpaths and the TypeScript files of this repository; its arguments begin at `process.argv[1]`.
 */
export class ScriptProcess {
  /** What it has printed so far. */
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private complaints = '';

  constructor(source: string, ...args: string[]) {
    this.child = spawn(
      process.execPath,
      [...process.execArgv, '--input-type=module', '--eval', source, '--', ...args],
      { cwd: WORKSPACE, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.closed = once(this.child, 'close');
    createInterface(this.child.stdout!).on('line', (line) => this.lines.push(line));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.complaints += chunk.toString()));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /**
   * Waits until it has printed that many lines.
   * @returns the last of them
   * @throws Error with what it wrote to stderr, when it ends or takes too long
   */
  async line(count = 1): Promise<string> {
    await until(`line ${count} of a child process`, PATIENCE, () => {
      if (this.lines.length >= count) return true;
      if (this.hasEnded) throw new Error(`The child process has ended: ${this.complaints}`);
      return false;
    });
    return this.lines[count - 1]!;
  }

  /** A line on its standard input. */
  say(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Ends its standard input, for it to end by itself, and waits until it has. */
  async finish(): Promise<void> {
    this.child.stdin!.end();
    await this.closed;
  }

  /** kill -9. Returns when all that it had printed is in `lines`. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.closed;
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { lockProgram, runProgram } from '../../libs/db-lock/src/cli/program.js';
import type { Surroundings } from '../../libs/db-lock/src/cli/surroundings.js';
import { until } from './patience.js';

/** See bundle/bundle.ts. */
const PROGRAM = fileURLToPath(new URL('../../libs/db-lock/.cache/bundle/db-lock.js', import.meta.url));

/** Milliseconds for what a process prints on a busy machine. */
const PATIENCE = 60_000;

type Environment = Record<string, string | undefined>;

/** How a command line has ended. */
export interface Ending {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command line that runs in this process, as a function: what it starts are processes all the same. */
export class CommandLine {
  readonly signals = new EventEmitter();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly ended: Promise<Ending>;

  constructor(
    args: readonly string[],
    environment: Environment,
    around: Partial<Surroundings> = {},
    { make = lockProgram, usage }: { make?: typeof lockProgram; usage?: number } = {},
  ) {
    const printed = Promise.all([text(this.stdout).catch(() => ''), text(this.stderr)]);
    const code = runProgram(make, args, this.#within(environment, around), usage);
    this.ended = this.#end(code, printed);
  }

  #within(environment: Environment, around: Partial<Surroundings>): Surroundings {
    return {
      stdout: this.stdout,
      stderr: this.stderr,
      environment: { PATH: process.env['PATH'], ...environment },
      signals: this.signals,
      isOnTerminal: false,
      ...around,
    };
  }

  async #end(running: Promise<number>, printed: Promise<string[]>): Promise<Ending> {
    const code = await running;
    this.stdout.end();
    this.stderr.end();
    const [stdout, stderr] = (await printed) as [string, string];
    return { code, stdout, stderr };
  }
}

/** The same to its end. */
export const runCommandLine = (args: readonly string[], environment: Environment): Promise<Ending> =>
  new CommandLine(args, environment).ended;

/** What starts the command line as a process: for a shell's command lines, too. */
export const COMMAND_LINE = [process.execPath, PROGRAM] as const;

/** A command line as users start it: a process. */
export class CommandLineProcess implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals>;

  /** @param command - what runs it; default: the command line itself */
  constructor(args: readonly string[], environment: Environment, command: readonly string[] = COMMAND_LINE) {
    const [program, ...first] = command;
    this.child = spawn(program!, [...first, ...args], {
      env: { PATH: process.env['PATH'], ...environment },
      stdio: 'pipe',
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.child.stdin!.on('error', () => undefined); // it has ended
    this.ended = once(this.child, 'close').then(
      ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
    );
  }

  say(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Waits until it has printed this. */
  async prints(text: string): Promise<void> {
    await until(`"${text}" of ${this.child.spawnargs.join(' ')}`, PATIENCE, () => {
      if (this.stdout.includes(text)) return true;
      if (this.child.exitCode !== null) throw new Error(`It has ended: ${this.stdout}${this.stderr}`);
      return false;
    });
  }

  /** Ends what still runs, whatever it waits for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.child.stdin!.end();
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

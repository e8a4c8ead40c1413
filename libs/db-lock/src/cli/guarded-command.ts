import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from './errors.js';
import { EXIT, exitCodeOfSignal } from './exit-codes.js';

/** Milliseconds between two looks whether all processes are gone. */
const LOOK_INTERVAL = 20;

export interface GuardedCommandOptions {
  environment: NodeJS.ProcessEnv;
  /** Signals go to a group of its own: to all that it has started, too. Not on a terminal, whose signals go to the group that it knows. */
  hasOwnGroup: boolean;
}

/** The command that runs while the lock is held, on our standard streams. */
export class GuardedCommand {
  /** The exit code, as a shell tells it. */
  readonly ended: Promise<number>;
  #hasEnded = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly hasOwnGroup: boolean,
  ) {
    this.ended = once(child, 'exit').then(([code, signal]) => {
      this.#hasEnded = true;
      return typeof code === 'number' ? code : exitCodeOfSignal(signal as NodeJS.Signals);
    });
  }

  /** @throws StartError, with the exit code that shells have for it */
  static async start(
    command: string,
    args: readonly string[],
    { environment, hasOwnGroup }: GuardedCommandOptions,
  ): Promise<GuardedCommand> {
    const child = spawn(command, args, { stdio: 'inherit', env: environment, detached: hasOwnGroup });
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw notStarted(command, error as NodeJS.ErrnoException);
    }
    return new GuardedCommand(child, hasOwnGroup);
  }

  /** Sends the signal to all that still run; tells whether there are any. */
  signal(name: NodeJS.Signals | 0): boolean {
    const { pid } = this.child;
    if (!this.hasOwnGroup && this.#hasEnded) return false;
    try {
      return process.kill(this.hasOwnGroup ? -pid! : pid!, name);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM'; // it runs as somebody else
    }
  }

  /** Ends it: asks first, and after `grace` milliseconds asks no more. */
  async stop(grace: number): Promise<void> {
    const end = performance.now() + grace;
    this.signal('SIGTERM');
    while (this.signal(0) && performance.now() < end) await sleep(LOOK_INTERVAL);
    this.signal('SIGKILL');
    await this.ended;
  }
}

/** As shells tell it. */
function notStarted(command: string, { code, message }: NodeJS.ErrnoException): StartError {
  if (code === 'ENOENT') return new StartError(`${command}: command not found`, EXIT.notFound);
  if (code === 'EACCES') return new StartError(`${command}: permission denied`, EXIT.notExecutable);
  return new StartError(`${command}: ${message}`, EXIT.notExecutable);
}

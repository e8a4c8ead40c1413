import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { findFreePort } from './free-port.js';
import { until } from './patience.js';

/** See bundle/bundle.ts. */
const MAIN = fileURLToPath(new URL('../../libs/db-lock/.cache/bundle/standalone-server.js', import.meta.url));

/** Milliseconds for a start on a busy machine. */
const PATIENCE = 60_000;

/** How a process ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The standalone server as a process of its own. */
export class StandaloneServer implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #ending: Promise<Ending>;
  #ended?: Ending;

  private constructor(
    environment: Record<string, string>,
    readonly port: number,
    onTerminal: boolean,
  ) {
    const command = [process.execPath, MAIN];
    // script(1), of every Linux, runs its command on a terminal of its own.
    const [program, ...args] = onTerminal
      ? ['script', '-qec', `exec ${command.join(' ')}`, '/dev/null']
      : command;
    this.#child = spawn(program!, args, {
      env: { PATH: process.env['PATH'], PORT: String(port), ...environment },
      stdio: [onTerminal ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#ending = once(this.#child, 'close').then(
      ([code, signal]) => (this.#ended = { code, signal } as Ending),
    );
  }

  /** Starts it with nothing but this environment, and waits until it is ready or has ended. */
  static start(environment: Record<string, string>): Promise<StandaloneServer> {
    return this.#start(environment, false);
  }

  /** The same on a terminal, where all that it prints is in `stdout`, and Ctrl-C ends it. */
  static startOnTerminal(environment: Record<string, string>): Promise<StandaloneServer> {
    return this.#start(environment, true);
  }

  static async #start(environment: Record<string, string>, onTerminal: boolean): Promise<StandaloneServer> {
    const server = new StandaloneServer(environment, await findFreePort(), onTerminal);
    try {
      await until('the standalone server', PATIENCE, () => server.#ended !== undefined || server.isReady);
      return server;
    } catch (error) {
      await server.end('SIGKILL');
      throw error;
    }
  }

  get isReady(): boolean {
    return (this.stdout + this.stderr).includes('the lock server is ready');
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The JSON of an answer, with its status. */
  async call(path: string, init?: RequestInit): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(this.origin + path, init);
    const text = await response.text();
    return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
  }

  /** Ctrl-C on its terminal. */
  interrupt(): Promise<Ending> {
    this.#child.stdin!.write('\x03');
    return this.#ending;
  }

  ended(): Promise<Ending> {
    return this.#ending;
  }

  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    this.#child.kill(signal);
    return this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

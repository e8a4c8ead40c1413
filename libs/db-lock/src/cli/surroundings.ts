import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type Screen = Writable & { isTTY?: boolean; columns?: number };

/** All that the command line knows of the world around it. */
export interface Surroundings {
  stdout: Screen;
  stderr: Screen;
  environment: NodeJS.ProcessEnv;
  /** Tells of signals, by their names. */
  signals: Pick<EventEmitter, 'on' | 'off'>;
  /** One of the standard streams is a terminal: then the terminal sends Ctrl-C to the command, too. */
  isOnTerminal: boolean;
}

/** Those of this process. */
export const surroundings = (): Surroundings => ({
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  signals: process,
  isOnTerminal: [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY),
});

/** A variable of the environment; an empty one counts as unset. */
export const variable = ({ environment }: Pick<Surroundings, 'environment'>, name: string) =>
  environment[name] === '' ? undefined : environment[name];

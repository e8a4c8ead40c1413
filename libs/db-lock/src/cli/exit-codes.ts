import { constants } from 'node:os';

/** How the command line ends, as sysexits.h has it where that knows a number. */
export const EXIT = {
  done: 0,
  /** There is no such lock, or it is held otherwise than was meant. */
  no: 1,
  usage: 64,
  unavailable: 69,
  /** Something that should not happen. */
  broken: 70,
  busy: 75,
  denied: 77,
  /** A table or a package is missing. */
  setUp: 78,
  /** The lease is lost. */
  lost: 79,
  notExecutable: 126,
  notFound: 127,
} as const;

/** As a shell tells that a signal has ended a process. */
export const exitCodeOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

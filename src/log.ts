import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { WriteStream } from 'node:tty';

/** Where the server logs to. */
export interface Log {
  pino: Logger;
  /** Somebody reads it on a terminal. */
  isForPeople: boolean;
}

/**
 * On a terminal, lines for people: the time, the level, the message; in colours where the terminal has some, and NO_COLOR is not set.
 * Elsewhere one JSON object a line.
 */
export function openLog(level: string, output: WriteStream): Log {
  if (!output.isTTY) return { pino: pino({ level }), isForPeople: false };
  const lines = PinoPretty({
    colorize: output.hasColors(),
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,context',
    messageFormat: '{if context}{context}: {end}{msg}',
    singleLine: true,
    sync: true,
  });
  return { pino: pino({ level }, lines), isForPeople: true };
}

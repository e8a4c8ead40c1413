import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Nest's contexts that tell, one by one, which modules were loaded and which routes there are. */
const INVENTORIES = ['InstanceLoader', 'RoutesResolver', 'RouterExplorer'];

/** Nest's logs as pino's lines, with the context they came from. */
export class PinoLogger implements LoggerService {
  /** @param inventory the level at which modules and routes are told */
  constructor(
    private readonly pino: Logger,
    private readonly inventory: Level,
  ) {}

  log(message: unknown, ...details: unknown[]): void {
    const isInventory = INVENTORIES.includes(String(details.at(-1)));
    this.#write(isInventory ? this.inventory : 'info', message, details);
  }

  error(message: unknown, ...details: unknown[]): void {
    this.#write('error', message, details);
  }

  warn(message: unknown, ...details: unknown[]): void {
    this.#write('warn', message, details);
  }

  debug(message: unknown, ...details: unknown[]): void {
    this.#write('debug', message, details);
  }

  verbose(message: unknown, ...details: unknown[]): void {
    this.#write('trace', message, details);
  }

  fatal(message: unknown, ...details: unknown[]): void {
    this.#write('fatal', message, details);
  }

  /** Nest appends the context, and before it a stack for errors. */
  #write(level: Level, message: unknown, details: unknown[]): void {
    const context = details.at(-1);
    const stack = level === 'error' && details.length > 1 ? details[0] : undefined;
    const fields = { context, ...(typeof stack === 'string' && { stack }) };
    if (message instanceof Error) this.pino[level]({ ...fields, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.pino[level]({ ...fields, ...message });
    else this.pino[level](fields, String(message));
  }
}

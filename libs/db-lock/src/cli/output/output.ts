import { once } from 'node:events';
import { styleText } from 'node:util';
import type { Screen } from '../surroundings.js';
import { spelt } from './visible.js';

type Style = Parameters<typeof styleText>[0];

/** Who reads our output has gone, as `head` does: there is nothing more to say, and nothing has failed. */
export class ReaderGone extends Error {}

/** Prints lines to a stream, no faster than they are read. */
export class Output implements Disposable {
  readonly #gone = new AbortController();

  constructor(private readonly stream: Screen) {
    stream.on('error', this.#end).on('close', this.#end);
  }

  /** Aborts when nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** @throws ReaderGone */
  async print(...lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** One value on one line. @throws ReaderGone */
  json(value: object): Promise<void> {
    return this.print(spelt(JSON.stringify(value)));
  }

  /** @throws ReaderGone */
  async write(text: string): Promise<void> {
    this.#gone.signal.throwIfAborted();
    if (this.stream.write(text)) return;
    await once(this.stream, 'drain', { signal: this.#gone.signal }).catch(() => undefined);
    this.#gone.signal.throwIfAborted();
  }

  /** The text in a colour, where there are colours. */
  paint(style: Style): (text: string) => string {
    return (text) => styleText(style, text, { stream: this.stream });
  }

  [Symbol.dispose](): void {
    this.stream.off('error', this.#end).off('close', this.#end);
  }

  readonly #end = (error?: NodeJS.ErrnoException): void => {
    if (error && error.code !== 'EPIPE') this.#gone.abort(error);
    this.#gone.abort(new ReaderGone());
  };
}

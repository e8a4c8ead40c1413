import { exitCodeOf, jsonOf, messageOf } from './errors.js';
import { EXIT } from './exit-codes.js';
import { Output, ReaderGone } from './output/output.js';
import { harmless, spelt } from './output/visible.js';
import { placeOf, type PlaceOptions } from './place.js';
import type { Surroundings } from './surroundings.js';
import type { Way } from './ways/way.js';

/** One run of the command line. */
export class Session implements Disposable {
  readonly out: Output;
  /** What the process is to end with. */
  exitCode: number = EXIT.done;
  /** Whether answers are to be JSON, and errors, too. */
  isJson = false;
  readonly #err: Output;

  constructor(readonly around: Surroundings) {
    this.out = new Output(around.stdout);
    this.#err = new Output(around.stderr);
  }

  /** Does the work where the locks are; what it returns is what to end with, by default 0. */
  async at(options: PlaceOptions, work: (way: Way) => Promise<number | void>): Promise<void> {
    this.isJson = options.json ?? false;
    const place = placeOf(options, this.around);
    // Not before it is needed: it takes longer to load than all else, and --help needs none of it.
    const { openWay } = await import('./ways/open-way.js');
    await using way = await openWay(place, (message) => this.warn(message));
    this.exitCode = (await work(way)) ?? EXIT.done;
  }

  /** Tells people what they should know, beside the answer. */
  warn(message: string): void {
    this.#tell(message, { message });
  }

  /** Tells what went wrong, and decides what to end with. */
  fail(error: unknown): void {
    if (error instanceof ReaderGone) return;
    this.exitCode = exitCodeOf(error);
    this.#tell(messageOf(error), jsonOf(error));
  }

  /** Whether anybody reads it or not. */
  #tell(message: string, json: object): void {
    const line = this.isJson ? spelt(JSON.stringify(json)) : harmless(`db-lock: ${message}`);
    this.#err.print(line).catch(() => undefined);
  }

  [Symbol.dispose](): void {
    this.out[Symbol.dispose]();
    this.#err[Symbol.dispose]();
  }
}

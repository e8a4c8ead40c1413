import { messages, PGlite, type ExecProtocolOptions } from '@electric-sql/pglite';
import { uuid_ossp } from '@electric-sql/pglite/contrib/uuid_ossp';

type Answer = Awaited<ReturnType<PGlite['execProtocolStream']>>[number];

/** The first bytes of the messages Query and Sync. */
const END_OF_REQUEST = new Set(Buffer.from('QS'));

/** PGlite which, when it can't start or go on, says why: that the disk is full, for instance. */
export class Engine extends PGlite {
  /** The last message with which PostgreSQL gave up. */
  private lastWords?: string;
  private end?: Error;

  /** @param dataDir an absolute path; in memory without one */
  constructor(dataDir?: string) {
    super({
      dataDir,
      extensions: { uuid_ossp }, // TypeORM's default for generated UUIDs
      onStderr: (line) => {
        this.lastWords = /(?:FATAL|PANIC): .*/.exec(line)?.[0] ?? this.lastWords;
        return true;
      },
    });
  }

  static async start(dataDir?: string): Promise<Engine> {
    const engine = new Engine(dataDir);
    try {
      await engine.waitReady;
    } catch (cause) {
      engine.abandon();
      throw engine.hasStopped(`The embedded database ${dataDir ? `in ${dataDir} ` : ''}does not open`, cause);
    }
    return engine;
  }

  /** @throws Error when PostgreSQL has come to its end; from then on always */
  override async execProtocolStream(message: Uint8Array, options?: ExecProtocolOptions): Promise<Answer[]> {
    if (this.end) throw this.end;
    try {
      const answers = await super.execProtocolStream(message, options);
      if (isAnswered(message, answers)) return answers;
    } catch (cause) {
      if (cause instanceof messages.DatabaseError) throw cause;
      throw (this.end = this.hasStopped('The embedded database has stopped', cause));
    }
    throw (this.end = this.hasStopped('The embedded database has stopped'));
  }

  /**
   * In place of `close` when PostgreSQL has come to its end: lets go of files, timers and memory. An orderly shutdown
   * would write a checkpoint of what may be wrong; the next start repairs the files from PostgreSQL's log instead.
   */
  abandon(): void {
    try {
      this.mod?._emscripten_force_exit(1);
    } catch {
      // the exit itself is thrown
    }
    this.mod = undefined;
  }

  private hasStopped(what: string, cause?: unknown): Error {
    return new Error(`${what}: ${this.lastWords ?? (cause as Error | undefined)?.message ?? 'no answer'}`, {
      cause,
    });
  }
}

/** Whether PostgreSQL goes on: its last error was not fatal, and at the end of a request it is ready for the next. */
function isAnswered(message: Uint8Array, answers: Answer[]): boolean {
  if (answers.some((answer) => answer instanceof messages.DatabaseError && isFatal(answer))) return false;
  return !END_OF_REQUEST.has(message[0]!) || answers.some((answer) => answer.name === 'readyForQuery');
}

function isFatal({ severity }: { severity?: string }): boolean {
  return severity === 'FATAL' || severity === 'PANIC';
}

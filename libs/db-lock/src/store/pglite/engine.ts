import { messages, PGlite, type ExecProtocolOptions } from '@electric-sql/pglite';
import { uuid_ossp } from '@electric-sql/pglite/contrib/uuid_ossp';

/** PGlite which, when it can't start or go on, says why: that the disk is full, for instance. */
export class Engine extends PGlite {
  /** The last message with which PostgreSQL gave up. */
  private lastWords?: string;

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
      throw engine.hasStopped(`The embedded database ${dataDir ? `in ${dataDir} ` : ''}does not open`, cause);
    }
    return engine;
  }

  override async execProtocolStream(message: Uint8Array, options?: ExecProtocolOptions) {
    try {
      return await super.execProtocolStream(message, options);
    } catch (cause) {
      if (cause instanceof messages.DatabaseError) throw cause;
      throw this.hasStopped('The embedded database has stopped', cause);
    }
  }

  private hasStopped(what: string, cause: unknown): Error {
    return new Error(`${what}: ${this.lastWords ?? (cause as Error).message}`, { cause });
  }
}

import { once, type EventEmitter } from 'node:events';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import pg from 'pg';
import { DataDirectory } from './data-directory.js';
import { Engine } from './engine.js';

/**
 * The one session that an open PGlite has, spoken to by a node-pg client: so values, results and errors are those of
 * PostgreSQL behind node-pg, because it is the same code.
 */
export class Session {
  private hasBroken = false;
  private busy = false;

  private constructor(
    private readonly engine: Engine,
    private readonly client: pg.Client,
    private readonly directory?: DataDirectory,
  ) {
    client.on('error', () => (this.hasBroken = true));
    client.on('drain', () => (this.busy = false));
  }

  /** @throws DataDirectoryInUseError; Error when PGlite can't open the directory */
  static async open(dataDir?: string): Promise<Session> {
    const directory = dataDir === undefined ? undefined : await DataDirectory.claim(dataDir);
    try {
      const engine = await Engine.start(directory?.path);
      directory?.isComplete();
      const session = new Session(engine, new pg.Client(createPgConfig(engine)), directory);
      await session.client.connect();
      return session;
    } catch (error) {
      directory?.release();
      throw error;
    }
  }

  /** PGlite has crashed: this session answers nothing any more. */
  get broken(): boolean {
    return this.hasBroken;
  }

  /** Emits node-pg's `error`, `notice` and `notification`. */
  get events(): EventEmitter {
    return this.client;
  }

  /** node-pg's `client.query`. */
  query(statement: object | string, rest: unknown[]): unknown {
    const client: { query(...parameters: unknown[]): unknown } = this.client;
    const result = client.query(statement, ...rest);
    this.busy = true;
    return result;
  }

  /** Waits for the statements still running, then rolls back the transaction that they left open, if any. */
  async comeToRest(): Promise<void> {
    if (this.busy && !this.broken) await once(this.client, 'drain').catch(() => undefined);
    if (this.broken || !this.engine.isInTransaction()) return;
    await this.client.query('ROLLBACK').catch(() => (this.hasBroken = true));
  }

  async close(): Promise<void> {
    try {
      await this.client.end();
      if (this.broken) this.engine.abandon();
      else await this.engine.close();
    } finally {
      this.directory?.release();
    }
  }
}

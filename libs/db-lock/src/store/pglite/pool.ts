import { EventEmitter } from 'node:events';
import { PgliteClient } from './client.js';
import type { DatabaseUser, EmbeddedDatabase } from './embedded-database.js';

export interface PglitePoolOptions {
  /**
   * Milliseconds that `connect` waits for those who came before; 0 is for ever. TypeORM's `connectTimeoutMS`. Default
   * 30 s: there is but one session, and a transaction that waits for a second one would wait for ever.
   */
  connectionTimeoutMillis?: number;
}

/** A pool as TypeORM's postgres driver expects it, except that all its clients share one session, one after another. */
export class PglitePool extends EventEmitter implements DatabaseUser {
  private static made = 0;

  private readonly patience: number;
  private readonly namespace = `pool${PglitePool.made++}_`;
  private hasEnded = false;

  constructor(
    private readonly database: EmbeddedDatabase,
    { connectionTimeoutMillis = 30_000 }: PglitePoolOptions = {},
  ) {
    super();
    this.patience = connectionTimeoutMillis;
  }

  connect(callback: (error?: Error, client?: PgliteClient, release?: () => void) => void): void {
    this.lend().then(
      (client) => callback(undefined, client, () => client.release()),
      (error: Error) => callback(error),
    );
  }

  /** Calls back at once while other pools have the database open, else when it is closed. */
  end(callback: (error?: Error) => void): void {
    this.hasEnded = true;
    this.database.leave(this).then(() => callback(), callback);
  }

  get ended(): boolean {
    return this.hasEnded;
  }

  private async lend(): Promise<PgliteClient> {
    return new PgliteClient(await this.database.lease(this, this.patience), this.namespace);
  }
}

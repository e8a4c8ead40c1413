import type { INestApplication } from '@nestjs/common';
import { LockClient, LockServer } from 'nestjs-db-lock';
import pg from 'pg';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import type { Tampering } from '../faults/tampering.js';
import { createLockApplication } from '../support/lock-application.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { until } from '../support/patience.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Milliseconds for what should take a moment. */
export const PATIENCE = 30_000;

/** One lock server of several over the same database, each with a client. */
export interface Host {
  app: INestApplication;
  server: LockServer;
  client: LockClient;
  log: MemoryLogger;
}

/** Several lock servers over one database, and a look into its queues. */
export class WaitingScene {
  readonly hosts: Host[] = [];

  private constructor(
    private readonly database: TestDatabase,
    private readonly session: pg.Client,
    readonly url: string,
  ) {}

  static async open(servers: number, ...tamperings: Tampering[]): Promise<WaitingScene> {
    const database = await createTestDatabase();
    const session = new pg.Client({ connectionString: database.url });
    await session.connect();
    const scene = new WaitingScene(database, session, database.url);
    for (let count = 0; count < servers; count++) await scene.addHost(...tamperings);
    return scene;
  }

  async addHost(...tamperings: Tampering[]): Promise<Host> {
    const log = new MemoryLogger();
    const app = await createLockApplication({
      database: {
        type: 'postgres',
        url: this.url,
        poolSize: 1,
        ...(tamperings.length > 0 && { driver: tamperedPostgres(...tamperings) }),
      },
      logger: log,
    });
    const host = { app, server: app.get(LockServer), client: app.get(LockClient), log };
    this.hosts.push(host);
    return host;
  }

  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.session.query<Row>(sql, values)).rows;
  }

  /** Waits until the names of those who wait for the lock are these, whatever their order. */
  async queued(lockName: string, ...workers: string[]): Promise<void> {
    let names: string[] = [];
    await until(`${workers.join()} wait for ${lockName}`, PATIENCE, async () => {
      const lock = await this.hosts[0]!.server.inspect(lockName);
      names = (lock?.queue ?? []).map(({ workerName }) => workerName).sort();
      return names.join() === workers.toSorted().join();
    });
  }

  /** Waits until so many wait for the lock. */
  async waiting(lockName: string, count: number): Promise<void> {
    await until(`${count} wait for ${lockName}`, PATIENCE, async () => {
      return (await this.hosts[0]!.server.inspect(lockName))?.waiting === count;
    });
  }

  /** Rows of the queues' table, of the living and the dead. */
  async waiterRows(): Promise<number> {
    const [row] = await this.query<{ count: string }>('SELECT count(*) FROM dblock_waiter');
    return Number(row!.count);
  }

  /** What the servers tell each other from now on. */
  async eavesdrop(): Promise<string[]> {
    const heard: string[] = [];
    const channel = channelOf(this.hosts[0]!);
    this.session.on('notification', ({ payload }) => {
      if (payload?.includes(' ')) heard.push(payload.slice(payload.indexOf(' ') + 1));
    });
    await this.session.query(`LISTEN ${channel}`);
    return heard;
  }

  /** What was logged about the way in which waiters are woken; Nest has one logger for all applications of a process. */
  modes(): string[] {
    return this.hosts.flatMap(({ log }) => log.messages).filter((message) => message.startsWith('Waiters '));
  }

  async close(): Promise<void> {
    for (const { app } of this.hosts) await app.close();
    await this.session.end();
    await this.database.drop();
  }
}

function channelOf({ app }: Host): string {
  const store = app.get<{ queue: { notifications: { channel: string } } }>(LOCK_STORE);
  return store.queue.notifications.channel;
}

import type { INestApplication } from '@nestjs/common';
import { LockServer, type DbLockError, type LockClient } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import type { LockTransport } from '../../libs/db-lock/src/client/lock-transport.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { poison } from '../support/poison.js';
import type { PostgresServer } from '../support/postgres-server.js';
import { CuttingProxy } from './cutting-proxy.js';
import type { History } from './history.js';
import { Recorder } from './recorder.js';
import { Worker } from './worker.js';

export const LOCK_NAMES = Array.from({ length: 8 }, (_, index) => `fault:${index}`);

/** Somebody asks for these all the time, so that every batch has one in it; the database refuses each. */
const POISONED = ['a-poison', 'fault:poison', 'z-poison'];

/** Of each client. */
const WORKERS = 6;

/** Milliseconds that the load gets to come on: a slow machine may need long to recover. */
const PATIENCE = 60_000;

/**
 * Many workers that contend for a few locks: through three applications, each with connections of its own, the last of
 * which go through a proxy; and over HTTP, through two clients of the first application.
 */
export class Load {
  readonly #stop = new AbortController();
  /** Answers to poisoned requests, by what they say. */
  readonly poisoned: Record<string, number> = {};
  #work?: Promise<unknown>;

  private constructor(
    private readonly apps: readonly INestApplication[],
    private readonly clients: readonly LockClient[],
    private readonly proxy: CuttingProxy,
    readonly recorder: Recorder,
    private readonly url: string,
  ) {}

  /** @param redisUrl of the gate that the first and the last of the applications have, the one between has none */
  static async start({ url }: PostgresServer, redisUrl: string): Promise<Load> {
    const proxy = await CuttingProxy.open(url);
    const apps: INestApplication[] = [];
    for (const [way, gate] of [
      [url, redisUrl],
      [url, undefined],
      [proxy.url, redisUrl],
    ] as const)
      apps.push(
        await createLockApplication({
          database: { type: 'postgres', url: way, poolSize: 2 },
          features: [{ statementTimeout: '1s', redis: gate === undefined ? undefined : { url: gate } }],
        }),
      );
    await poison(url);
    const recorder = await Recorder.open(url);
    const apiServer = `${await listen(apps[0]!)}/dblock`;
    const transports: LockTransport[] = [
      ...apps.map((app) => new LocalTransport(app.get(LockServer))),
      ...[1, 2].map(() => new HttpTransport({ apiServer, requestTimeout: 2_000 })),
    ];
    const clients = transports.map((transport) => recorder.client(transport));
    const load = new Load(apps, clients, proxy, recorder, url);
    load.#begin();
    return load;
  }

  /** Waits until so many more locks were granted. */
  async grants(count: number): Promise<void> {
    const goal = this.recorder.history.grants.length + count;
    await until(`${count} more grants`, PATIENCE, () => this.recorder.history.grants.length >= goal);
  }

  /** Cuts a connection whose acquire the database has just carried out. */
  async cut(): Promise<void> {
    await this.proxy.cutAnswerTo('db_lock_acquire');
  }

  /** Holds up what one of the applications and the database say to each other; all of it arrives later. */
  async partition(milliseconds: number): Promise<void> {
    this.proxy.hold();
    await sleep(milliseconds);
    this.proxy.letThrough();
  }

  /** A session beside the load's own, for a fault. */
  async askDatabase(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }

  /** Looks at the table, as soon as the database answers. */
  async look(): Promise<void> {
    await until('a look at the table', PATIENCE, () =>
      this.recorder.look().then(
        () => true,
        () => false,
      ),
    );
  }

  /**
   * Ends the work and returns what happened.
   * @throws Error when a worker met an error that no fault explains
   */
  async finish(): Promise<History> {
    this.#stop.abort();
    await this.#work;
    await Promise.all(this.clients.map((client) => client.close()));
    return this.recorder.complete();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#work?.catch(() => undefined);
    for (const app of this.apps) await app.close();
    await this.proxy.close();
    await this.recorder.close();
  }

  async #poison(server: LockServer, lockName: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const request = { lockName, workerName: 'poisoner', grantId: randomUUID(), ttl: 1_000 };
      const answer = await server.acquire(request).then(
        ({ outcome }) => outcome,
        (error: DbLockError) => error.code,
      );
      this.poisoned[answer] = (this.poisoned[answer] ?? 0) + 1;
      await sleep(5);
    }
  }

  #begin(): void {
    const workers = this.clients.flatMap((client, index) =>
      Array.from(
        { length: WORKERS },
        (_, number) => new Worker(`worker ${index}.${number}`, client, LOCK_NAMES, this.recorder),
      ),
    );
    const poisoners = this.apps.flatMap((app) =>
      POISONED.map((lockName) => this.#poison(app.get(LockServer), lockName)),
    );
    this.#work = Promise.all([...poisoners, ...workers.map((worker) => worker.run(this.#stop.signal))]);
    this.#work.catch(() => undefined); // finish() tells
  }
}

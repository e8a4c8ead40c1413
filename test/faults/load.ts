import type { INestApplication } from '@nestjs/common';
import { LockServer, type DbLockError, type LockClient } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpTransport } from '../../libs/db-lock/src/client/http-transport.js';
import { LocalTransport } from '../../libs/db-lock/src/client/local-transport.js';
import { createLockApplication, listen, type LockApplicationOptions } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import type { History } from './history.js';
import { Recorder } from './recorder.js';
import type { Resource } from './resource.js';
import type { Witness } from './witness.js';
import { passing, Worker } from './worker.js';

export const LOCK_NAMES = Array.from({ length: 8 }, (_, index) => `fault:${index}`);

/** Somebody asks for these all the time, so that every batch has one in it; the database refuses each. */
const POISONED = ['a-poison', 'fault:poison', 'z-poison'];

/** Of each client. */
const WORKERS = 6;

/** Milliseconds that the load gets to come on: a slow machine may need long to recover. */
const PATIENCE = 60_000;

/** Of which locks a crowd wants shares, how many of each, and for how many milliseconds. */
export const CROWDED = ['crowded:0', 'crowded:1', 'crowded:2'] as const;
const CROWD = 3;
const CROWD_TTL = 10_000;

/** How long the leases last that are taken to be kept, in milliseconds. */
const LONG = 3_600_000;

/** What a load needs of a database. */
export interface LoadDatabase {
  /** Each with connections of its own. They make the tables where there are none. */
  applications: readonly LockApplicationOptions[];
  witness: Witness;
  resource: Resource;
  /** Makes the database refuse every grant of a lock whose name has "poison" in it. */
  poison(): Promise<void>;
}

/**
 * Many workers that contend for a few locks: through several applications, each with connections of its own; and over HTTP, through two clients
 * of the first application.
 */
export class Load {
  readonly #stop = new AbortController();
  /** Answers to poisoned requests, by what they say. */
  readonly poisoned: Record<string, number> = {};
  #work?: Promise<unknown>;
  #kept = 0;

  private constructor(
    private readonly apps: readonly INestApplication[],
    private readonly clients: readonly LockClient[],
    private readonly lockNames: readonly string[],
    readonly recorder: Recorder,
  ) {}

  static async start(database: LoadDatabase, lockNames: readonly string[] = LOCK_NAMES): Promise<Load> {
    const apps: INestApplication[] = [];
    for (const options of database.applications) apps.push(await createLockApplication(options));
    await database.poison();
    const recorder = await Recorder.open(database.witness, database.resource);
    const apiServer = `${await listen(apps[0]!)}/dblock`;
    const isGated = ({ features }: LockApplicationOptions) => features?.some(({ redis }) => redis) ?? false;
    const http = () => new HttpTransport({ apiServer, requestTimeout: 2_000 });
    const clients = [
      ...apps.map((app, index) =>
        recorder.client(new LocalTransport(app.get(LockServer)), isGated(database.applications[index]!)),
      ),
      ...[1, 2].map(() => recorder.client(http(), isGated(database.applications[0]!))),
    ];
    const load = new Load(apps, clients, lockNames, recorder);
    load.#begin();
    return load;
  }

  /** Waits until so many more locks were granted. */
  async grants(count: number): Promise<void> {
    const goal = this.recorder.history.grants.length + count;
    await until(`${count} more grants`, PATIENCE, () => this.recorder.history.grants.length >= goal);
  }

  /** Each client takes a lock that nobody else wants, for long, and keeps it: from then on it must always be there. */
  async keep(): Promise<void> {
    const options = { ttl: LONG, workerName: 'keeper', keepAlive: false };
    await Promise.all(
      this.clients.map((client) => {
        const mode = ++this.#kept % 2 ? 'exclusive' : 'shared';
        return client.tryAcquire(`kept:${this.#kept}`, { ...options, mode }).catch(passing);
      }),
    );
  }

  /**
   * Each client asks at once for shares of locks that nobody else wants, of one after the other and then again: they go to the store together.
   * Resolves when all have their answers, and what was granted is released.
   */
  async crowd(): Promise<void> {
    const options = { ttl: CROWD_TTL, workerName: 'crowd', keepAlive: false, mode: 'shared' } as const;
    const names = Array.from({ length: CROWD }, () => CROWDED).flat();
    await Promise.all(
      this.clients.flatMap((client) =>
        names.map(async (lockName) => {
          const lease = await client.tryAcquire(lockName, options).catch(passing);
          await lease?.release().catch(passing);
        }),
      ),
    );
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
        (_, number) => new Worker(`worker ${index}.${number}`, client, this.lockNames, this.recorder),
      ),
    );
    const poisoners = this.apps.flatMap((app) =>
      POISONED.map((lockName) => this.#poison(app.get(LockServer), lockName)),
    );
    this.#work = Promise.all([...poisoners, ...workers.map((worker) => worker.run(this.#stop.signal))]);
    this.#work.catch(() => undefined); // finish() tells
  }
}

import { afterAll, beforeAll, describe } from '@jest/globals';
import { Redis } from 'ioredis';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OrphanGuard } from './orphan-guard.js';
import { until } from './patience.js';
import { areStopped, signal } from './process-table.js';
import { startOnFreePort } from './start-on-free-port.js';
import { hasProgram } from './system-program.js';

const PATIENCE_MS = 30_000;

/** A Redis that a suite may use, with other suites: it keeps to keys of its own and flushes nothing. */
export interface SharedRedis {
  /** Known once the tests run. */
  readonly url: string;
}

/**
 * A suite that needs a Redis of any kind: the one that TEST_REDIS_URL names, or else a private server. Skipped, loudly, where
 * none can be had; in CI that is an error.
 */
export function describeWithRedis(name: string, suite: (redis: SharedRedis) => void): void {
  const shared = process.env.TEST_REDIS_URL;
  const isThere = shared !== undefined || hasProgram('redis-server', name);
  (isThere ? describe : describe.skip)(name, () => {
    let server: RedisServer | undefined;
    beforeAll(async () => {
      if (shared === undefined) server = await startRedis();
    });
    afterAll(() => server?.stop());
    suite({
      get url() {
        return shared ?? server!.url;
      },
    });
  });
}

/** A suite that needs a private server, to treat it badly. Skipped as by {@link describeWithRedis}. */
export function describeWithRedisServer(name: string, suite: () => void): void {
  (hasProgram('redis-server', name) ? describe : describe.skip)(name, suite);
}

/**
 * Starts a Redis of our own on a free loopback port. It keeps nothing on disk and does not outlive this process.
 *
 * @throws Error when there is no redis-server, or when it does not start; the message quotes its log
 */
export async function startRedis(): Promise<RedisServer> {
  return startOnFreePort(
    'redis',
    'bind: Address already in use',
    (home, port) => new RedisServer(home, port),
    (server) => server.restart(),
  );
}

/** A Redis server that tests may treat badly. */
export class RedisServer {
  readonly url: string;
  readonly #log: string;
  readonly #guard: OrphanGuard;
  #process?: ChildProcess;

  /**
   * Use {@link startRedis}.
   *
   * @param home - a new directory; stop() removes it
   */
  constructor(
    private readonly home: string,
    private readonly port: number,
  ) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#log = join(home, 'server.log');
    this.#guard = new OrphanGuard(home);
  }

  /** Starts the server on the same port, empty; kills it first if it runs. Resolves when it answers. */
  async restart(): Promise<void> {
    await this.kill();
    const server = this.#launch();
    await until(`Redis answers on port ${this.port}`, PATIENCE_MS, async () => {
      if (hasEnded(server))
        throw new Error(`Redis ended before it answered. Its log:\n${await readFile(this.#log, 'utf8')}`);
      return (
        (await this.#ask((client) => client.info('server')))?.includes(`process_id:${server.pid}\r`) ?? false
      );
    });
  }

  /** Ends the server and removes what startRedis made. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.home, { recursive: true, force: true });
    this.#guard.release();
  }

  /** Kills the server with SIGKILL, as a crash would. Its clients see their connections end. */
  async kill(): Promise<void> {
    const server = this.#process;
    if (!server || hasEnded(server)) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
    this.#guard.watch([]);
  }

  /** Stops the server with SIGSTOP: connections stay open and nobody answers. Resolves when it stands still. */
  async pause(): Promise<void> {
    const { pid } = this.#process!;
    signal([pid!], 'SIGSTOP');
    await until('Redis stands still', PATIENCE_MS, () => areStopped([pid!]));
  }

  /** Undoes pause(): the server goes on with what it was sent meanwhile. */
  resume(): void {
    signal([this.#process!.pid!], 'SIGCONT');
  }

  /** Removes all keys, and all scripts. */
  async flush(): Promise<void> {
    const flushed = await this.#ask(async (client) => {
      await client.script('FLUSH');
      return client.flushall();
    });
    if (flushed !== 'OK') throw new Error('Redis was not flushed.');
  }

  #launch(): ChildProcess {
    const settings = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.home];
    const log = openSync(this.#log, 'a');
    const server = spawn('redis-server', [...settings, '--save', '', '--appendonly', 'no'], {
      cwd: this.home,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    server.on('error', (error) => appendFileSync(this.#log, `${error.message}\n`));
    server.unref();
    if (server.pid) this.#guard.watch([server.pid]);
    this.#process = server;
    return server;
  }

  /** Undefined when there is no answer. */
  async #ask<Answer>(question: (client: Redis) => Promise<Answer>): Promise<Answer | undefined> {
    const client = new Redis(this.url, { lazyConnect: true, retryStrategy: null, connectTimeout: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return await question(client);
    } catch {
      return undefined;
    } finally {
      if (client.status !== 'end') client.disconnect();
    }
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

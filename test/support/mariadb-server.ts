import { describe } from '@jest/globals';
import mysql from 'mysql2/promise';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { chown, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OrphanGuard } from './orphan-guard.js';
import { until } from './patience.js';
import { areStopped, signal } from './process-table.js';
import { findServerUser, type ServerUser } from './server-user.js';
import { startOnFreePort } from './start-on-free-port.js';
import { hasProgram } from './system-program.js';

const run = promisify(execFile);

const PATIENCE_MS = 60_000;

/** A suite that needs a MariaDB; skipped, loudly, where none can be had. In CI that is an error. */
export function describeWithMariadb(name: string, suite: () => void): void {
  (hasProgram('mariadbd', name, 'mariadb-server') ? describe : describe.skip)(name, suite);
}

/** An empty database of a test's own, on the MariaDB of this process. */
export interface MariadbDatabase {
  url: string;
  drop(): Promise<void>;
}

let shared: Promise<MariadbServer> | undefined;

/** The MariaDB that suites of this process share: started when the first one needs it, and gone when the process ends. */
export function sharedMariadb(): Promise<MariadbServer> {
  return (shared ??= startMariadb());
}

export async function createMariadbDatabase(): Promise<MariadbDatabase> {
  return (await sharedMariadb()).createDatabase();
}

/**
 * Starts a MariaDB of our own on a free loopback port, which does not outlive this process.
 *
 * @param settings - server variables by name; those of `mariadbd --help`
 * @throws Error when it does not start; the message quotes its log
 */
export async function startMariadb(settings: Record<string, string> = {}): Promise<MariadbServer> {
  const user = await findServerUser('mysql');
  return startOnFreePort(
    'mariadb',
    'Address already in use',
    (home, port) => new MariadbServer(home, port, user, settings),
    async (server) => {
      await server.initialise();
      await server.restart();
    },
  );
}

/** A MariaDB server that tests may treat badly. It lets root in without a password. */
export class MariadbServer {
  readonly url: string;
  readonly #data: string;
  readonly #log: string;
  readonly #guard: OrphanGuard;
  #process?: ChildProcess;

  /**
   * Use {@link startMariadb}.
   *
   * @param home - a new directory; stop() removes it
   */
  constructor(
    private readonly home: string,
    private readonly port: number,
    private readonly user: ServerUser | undefined,
    private readonly settings: Record<string, string>,
  ) {
    this.url = `mariadb://root@127.0.0.1:${port}`;
    this.#data = join(home, 'data');
    this.#log = join(home, 'server.log');
    this.#guard = new OrphanGuard(home);
  }

  async initialise(): Promise<void> {
    if (this.user) await chown(this.home, this.user.uid, this.user.gid);
    const options = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve'];
    await run(
      'mariadb-install-db',
      ['--no-defaults', `--datadir=${this.#data}`, `--tmpdir=${this.home}`, ...options],
      this.#asServerUser(),
    );
  }

  /**
   * Starts the server on the same data and port; kills it first if it runs. Resolves when it answers: after a crash, when it has recovered.
   *
   * @param settings - server variables for this time only
   */
  async restart(settings: Record<string, string> = {}): Promise<void> {
    await this.kill();
    const server = this.#launch(settings);
    await until(`MariaDB answers on port ${this.port}`, PATIENCE_MS, async () => {
      if (hasEnded(server))
        throw new Error(`MariaDB ended before it answered. Its log:\n${await readFile(this.#log, 'utf8')}`);
      return this.#answers();
    });
  }

  /** Shuts the server down, as an operator would. */
  async shutDown(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends the server and removes what startMariadb made. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.home, { recursive: true, force: true });
    this.#guard.release();
  }

  /** Kills the server with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Stops the server with SIGSTOP: connections stay open and nobody answers. Resolves when it stands still. */
  async pause(): Promise<void> {
    const pid = this.#process!.pid!;
    signal([pid], 'SIGSTOP');
    await until('MariaDB stands still', PATIENCE_MS, () => areStopped([pid]));
  }

  /** Undoes pause(): the server goes on with what it was sent meanwhile. */
  resume(): void {
    signal([this.#process!.pid!], 'SIGCONT');
  }

  async createDatabase(): Promise<MariadbDatabase> {
    const name = `test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
    await this.query(`CREATE DATABASE ${name}`);
    return {
      url: `${this.url}/${name}`,
      drop: async () => void (await this.query(`DROP DATABASE IF EXISTS ${name}`)),
    };
  }

  /** The rows of one statement, on a session of its own. */
  async query<Row extends object>(sql: string): Promise<Row[]> {
    return queryMariadb<Row>(this.url, sql);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#process;
    if (!server || hasEnded(server)) return;
    const gone = once(server, 'exit');
    server.ref(); // This process waits for it now, even when it has nothing else to do.
    server.kill(signal);
    await gone;
    this.#guard.watch([]);
  }

  #launch(forThisTime: Record<string, string>): ChildProcess {
    const settings = {
      port: String(this.port),
      datadir: this.#data,
      tmpdir: this.home, // where another server would be in the way
      socket: join(this.home, 'socket'),
      'pid-file': join(this.home, 'pid'),
      'bind-address': '127.0.0.1',
      'max-connections': '500',
      'innodb-buffer-pool-size': '64M',
      'innodb-log-file-size': '32M',
      // Its data need not survive the machine, only the server's own crash.
      'innodb-flush-method': 'nosync',
      ...this.settings,
      ...forThisTime,
    };
    const options = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    const log = openSync(this.#log, 'a');
    const server = spawn('mariadbd', ['--no-defaults', '--skip-name-resolve', ...options], {
      ...this.#asServerUser(),
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    server.on('error', (error) => appendFileSync(this.#log, `${error.message}\n`));
    server.unref();
    if (server.pid) this.#guard.watch([server.pid]);
    this.#process = server;
    return server;
  }

  /** Whether our server, not another that took the port, answers a query. */
  async #answers(): Promise<boolean> {
    try {
      const [row] = await this.query<{ datadir: string }>('SELECT @@datadir AS datadir');
      return row!.datadir === `${this.#data}/`;
    } catch {
      return false;
    }
  }

  #asServerUser() {
    return { ...this.user, cwd: this.home };
  }
}

/** The rows of one statement, on a session of its own. */
export async function queryMariadb<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const session = await mysql.createConnection({ uri: url, connectTimeout: 2_000 });
  try {
    return (await session.query(sql))[0] as Row[];
  } finally {
    session.destroy();
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, openSync } from 'node:fs';
import { chown, mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { startOnFreePort } from '#support/start-on-free-port';
import { OrphanGuard } from '#support/orphan-guard';
import { until } from '#support/patience';
import { findPostgresBinaries, type PostgresBinaries } from '#support/postgres-binaries';
import { areGone, areStopped, childrenOf, signal } from '#support/process-table';
import { findServerUser, type ServerUser } from '#support/server-user';

const run = promisify(execFile);

const START_PATIENCE_MS = 120_000;
const SHUTDOWN_PATIENCE_MS = 30_000;
const SIGNAL_PATIENCE_MS = 10_000;

/** How to start a PostgreSQL server; each has a default. */
export interface PostgresOptions {
  /** The port on 127.0.0.1. Default: a free one from 20000 to 32000. */
  port?: number;
  /** Server settings by name, as in postgresql.conf. Default: PostgreSQL's own, so fsync is on. */
  settings?: Record<string, string>;
  /** Where the data lies: made when missing, kept by stop(). Default: a temporary directory that stop() removes. */
  dataDir?: string;
}

/**
 * Starts a PostgreSQL server of our own, which does not outlive this process.
 *
 * @returns the server, once it answers queries
 * @throws Error when there are no binaries, or when the server does not start; the message quotes its log
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const user = await findServerUser();
  const binaries = await findPostgresBinaries(user);
  return startOnFreePort(
    'postgres',
    options.port === undefined ? 'could not bind' : undefined,
    (home, port) => new PostgresServer(binaries, user, home, { ...options, port: options.port ?? port }),
    (server) => server.restart(),
  );
}

/** A PostgreSQL server that tests may treat badly. It lets its superuser, postgres, in without a password. */
export class PostgresServer {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Tells which PostgreSQL this is and where its binaries came from. */
  readonly origin: string;

  private readonly binaries: string;
  private readonly settings: Record<string, string>;
  private readonly log: string;
  private readonly guard: OrphanGuard;
  private readonly user: ServerUser | undefined;
  private readonly home: string;
  private postmaster: ChildProcess | undefined;
  private pausedBackends: number[] | undefined;

  /**
   * Use {@link startPostgres}.
   *
   * @param home - a new directory for the log and, unless told otherwise, the data; stop() removes it
   */
  constructor(
    binaries: PostgresBinaries,
    user: ServerUser | undefined,
    home: string,
    options: PostgresOptions & { port: number },
  ) {
    this.user = user;
    this.home = home;
    this.port = options.port;
    this.url = `postgres://postgres@127.0.0.1:${this.port}/postgres`;
    this.dataDir = resolve(options.dataDir ?? join(home, 'data'));
    this.log = join(home, 'server.log');
    this.binaries = binaries.directory;
    this.origin = binaries.origin;
    this.settings = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      shared_buffers: '64MB',
      max_connections: '200',
      ...options.settings,
    };
    this.guard = new OrphanGuard(home);
  }

  /**
   * Starts the server again on the same data and port; shuts it down first if it runs.
   *
   * Resolves when it answers queries: after kill(), that is after crash recovery.
   *
   * @throws Error when it ends, or does not answer within two minutes; the message quotes its log
   */
  async restart(): Promise<void> {
    await this.shutDown();
    if (!existsSync(join(this.dataDir, 'PG_VERSION'))) await this.initialise();
    const postmaster = this.launch();
    await until(`PostgreSQL answers on port ${this.port}`, START_PATIENCE_MS, async () => {
      if (this.postmaster !== postmaster || hasEnded(postmaster)) {
        throw new Error(`PostgreSQL ended before it answered. Its log:\n${await this.endOfLog()}`);
      }
      return this.answers();
    });
  }

  /** Shuts the server down (fast mode: transactions roll back) and removes what startPostgres made. */
  async stop(): Promise<void> {
    if (this.hasCrashed()) await this.restart().catch(() => {}); // Sweeps up the shared memory of the crashed one.
    await this.shutDown();
    await rm(this.home, { recursive: true, force: true });
    this.guard.release();
  }

  /**
   * Kills the postmaster with SIGKILL, as a crash would.
   *
   * Resolves when its backends are gone as well, so that restart() is possible. They notice by themselves; those
   * that have not after ten seconds, or can't because they are paused, are killed too.
   */
  async kill(): Promise<void> {
    const pid = this.pid;
    if (!pid) return;
    const backends = await freezePostmaster(pid);
    signal([pid], 'SIGKILL');
    if (this.pausedBackends) signal(backends, 'SIGKILL');
    this.pausedBackends = undefined;
    const isOver = () => !this.pid && areGone(backends);
    await until('backends notice the crash', SIGNAL_PATIENCE_MS, isOver).catch(() =>
      signal(backends, 'SIGKILL'),
    );
    await until('PostgreSQL is gone', SIGNAL_PATIENCE_MS, isOver);
    this.guard.watch([]);
  }

  /**
   * Stops the postmaster and its backends with SIGSTOP: connections stay open and nobody answers. Resolves when
   * all of them stand still.
   *
   * @throws Error when the server does not run
   */
  async pause(): Promise<void> {
    const pid = this.pid;
    if (!pid) throw new Error('PostgreSQL is not running, so it cannot be paused');
    const backends = await freezePostmaster(pid);
    this.guard.watch([pid, ...backends]);
    this.pausedBackends = backends;
    signal(backends, 'SIGSTOP');
    await until('backends stand still', SIGNAL_PATIENCE_MS, () => areStopped(backends));
  }

  /** Undoes pause(). */
  async resume(): Promise<void> {
    const pid = this.pid;
    if (!pid || !this.pausedBackends) return;
    signal([...this.pausedBackends, pid], 'SIGCONT');
    this.pausedBackends = undefined;
    this.guard.watch([pid]);
  }

  /** The postmaster's pid while it runs. */
  private get pid(): number | undefined {
    return this.postmaster && !hasEnded(this.postmaster) ? this.postmaster.pid : undefined;
  }

  private hasCrashed(): boolean {
    return !this.pid && existsSync(join(this.dataDir, 'postmaster.pid'));
  }

  private async initialise(): Promise<void> {
    await mkdir(this.dataDir, { recursive: true });
    for (const directory of [this.home, this.dataDir]) await this.handOver(directory);
    const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
    const args = [
      '--username=postgres',
      '--auth=trust',
      '--encoding=UTF8',
      `--locale=${locale}`,
      '--no-sync',
    ];
    const initdb = run(join(this.binaries, 'initdb'), [...args, '-D', this.dataDir], this.asServerUser());
    if (initdb.child.pid) this.guard.watch([initdb.child.pid]);
    await initdb;
  }

  private launch(): ChildProcess {
    const settings = Object.entries(this.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const log = openSync(this.log, 'a');
    const postmaster = spawn(join(this.binaries, 'postgres'), ['-D', this.dataDir, ...settings], {
      ...this.asServerUser(),
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    postmaster.on('error', (error) => appendFileSync(this.log, `${error.message}\n`));
    postmaster.unref();
    if (postmaster.pid) this.guard.watch([postmaster.pid]);
    this.postmaster = postmaster;
    return postmaster;
  }

  private async shutDown(): Promise<void> {
    const pid = this.pid;
    if (!pid) return;
    await this.resume();
    signal([pid], 'SIGINT');
    await until('PostgreSQL shuts down', SHUTDOWN_PATIENCE_MS, () => !this.pid).catch(() => this.kill());
    this.guard.watch([]);
  }

  /** Whether our server, not another that took the port, answers a query. */
  private async answers(): Promise<boolean> {
    const client = new pg.Client({
      connectionString: this.url,
      connectionTimeoutMillis: 2_000,
      query_timeout: 5_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      return rows[0]?.data_directory === this.dataDir;
    } catch {
      return false;
    } finally {
      await client.end();
    }
  }

  private async endOfLog(): Promise<string> {
    return (await readFile(this.log, 'utf8')).slice(-2_000);
  }

  private async handOver(directory: string): Promise<void> {
    if (this.user) await chown(directory, this.user.uid, this.user.gid);
  }

  private asServerUser() {
    return { ...this.user, cwd: this.home, env: { ...process.env, LC_ALL: 'C' } };
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

/** Stops the postmaster, so that it starts no more backends, and returns the pids of those it has. */
async function freezePostmaster(pid: number): Promise<number[]> {
  signal([pid], 'SIGSTOP');
  await until('the postmaster stands still', SIGNAL_PATIENCE_MS, () => areStopped([pid]));
  return childrenOf(pid);
}

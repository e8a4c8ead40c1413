import { describe } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findFreePort } from './free-port.js';
import { OrphanGuard } from './orphan-guard.js';
import { until } from './patience.js';
import { findServerUser } from './server-user.js';
import { hasProgram } from './system-program.js';

/** A PgBouncer of our own before a database. */
export interface PgBouncer {
  /** The database's address through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A suite that needs a PgBouncer. Skipped, loudly, where none can be had; in CI that is an error. */
export function describeWithPgBouncer(name: string, suite: () => void): void {
  (hasProgram('pgbouncer', name) ? describe : describe.skip)(name, suite);
}

/**
 * Starts a PgBouncer on a free loopback port, with few server connections, so that transactions do change sessions.
 *
 * @param databaseUrl - where it leads to
 * @param poolMode - when a client gives its server connection back
 */
export async function startPgBouncer(
  databaseUrl: string,
  poolMode: 'transaction' | 'session',
): Promise<PgBouncer> {
  const home = await mkdtemp(join(tmpdir(), 'db-lock-pgbouncer-'));
  const user = await findServerUser();
  const port = await findFreePort();
  const target = new URL(databaseUrl);
  const name = target.pathname.slice(1);
  const password = target.password === '' ? '' : ` password=${target.password}`;
  const settings = join(home, 'pgbouncer.ini');
  await writeFile(
    settings,
    `[databases]
${name} = host=${target.hostname} port=${target.port} dbname=${name} user=${target.username}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
default_pool_size = ${poolMode === 'transaction' ? 3 : 40}
logfile = ${join(home, 'pgbouncer.log')}
`,
  );
  if (user) for (const path of [home, settings]) await chown(path, user.uid, user.gid);

  const pooler = spawn('pgbouncer', ['-q', settings], { stdio: 'ignore', ...user });
  await once(pooler, 'spawn');
  const guard = new OrphanGuard(home);
  guard.watch([pooler.pid!]);
  const url = Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href;
  const stop = async () => {
    if (pooler.exitCode === null && pooler.signalCode === null) {
      pooler.kill();
      await once(pooler, 'exit');
    }
    guard.release();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await until('PgBouncer answers', 30_000, async () => {
      if (pooler.exitCode !== null)
        throw new Error(`PgBouncer ended. Its log:\n${await readFile(join(home, 'pgbouncer.log'), 'utf8')}`);
      return answers(url);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

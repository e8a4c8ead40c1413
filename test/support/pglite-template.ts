import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { existsSync, readFileSync } from 'node:fs';
import { pgliteDataSourceOptions } from 'nestjs-db-lock/pglite';
import { DataSource } from 'typeorm';

const CACHE = fileURLToPath(new URL('../../.cache/pglite/', import.meta.url));

/**
 * Puts an empty embedded database into a directory: a copy of one that is made once for each version of PGlite, because that takes
 * seven times as long as to open it.
 */
export async function copyPgliteTemplate(directory: string): Promise<void> {
  const template = join(CACHE, versionOf('@electric-sql/pglite'));
  if (!existsSync(template)) await makeTemplate(template);
  await cp(template, directory, { recursive: true });
}

async function makeTemplate(template: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const dataDir = await mkdtemp(join(CACHE, 'making-'));
  const dataSource = await new DataSource(pgliteDataSourceOptions({ dataDir })).initialize();
  await dataSource.destroy();
  // Another worker of jest may have been faster.
  await rename(dataDir, template).catch(() => rm(dataDir, { recursive: true }));
}

function versionOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  const path = join(entry.slice(0, entry.lastIndexOf(name)), name, 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { satisfies } from 'semver';
import { PACKAGE_ROOT } from '../../package-root.cjs';
import { DbLockConfigurationError } from './errors.js';

interface Manifest {
  name: string;
  version: string;
  peerDependencies?: Record<string, string>;
}

/** That of this package. */
export const MANIFEST = join(PACKAGE_ROOT, 'package.json');

/**
 * Refuses packages that this one does not work with, before anything fails for reasons that nobody can see. Those that can't be found,
 * pass, and all do where a bundler has put this package into a file of its own.
 * @param manifest the package.json that says which versions fit
 * @throws DbLockConfigurationError naming the package, its version and the versions that fit
 */
export function checkVersions(manifest: string, ...packages: string[]): void {
  if (!existsSync(manifest)) return;
  const { name: ours, peerDependencies = {} } = read(manifest);
  if (ours !== 'nestjs-db-lock') return;
  for (const name of packages) {
    const version = versionOf(name, manifest);
    const range = peerDependencies[name];
    if (version === undefined || range === undefined) continue;
    if (satisfies(version, range, { includePrerelease: true })) continue;
    throw new DbLockConfigurationError(
      name,
      `version ${version} is installed, but this library works with ${range}.`,
    );
  }
}

/** The version of a package that the file would load; undefined where it can't be found. */
export function versionOf(name: string, file: string): string | undefined {
  const manifest = (createRequire(file).resolve.paths(name) ?? [])
    .map((directory) => join(directory, name, 'package.json'))
    .find(existsSync);
  return manifest && read(manifest).version;
}

/** The version of this package; undefined where a bundler has put it into a file of its own. */
export function ownVersion(): string | undefined {
  if (!existsSync(MANIFEST)) return undefined;
  const { name, version } = read(MANIFEST);
  return name === 'nestjs-db-lock' ? version : undefined;
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Manifest;

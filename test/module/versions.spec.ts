import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkVersions, MANIFEST, versionOf } from '../../libs/db-lock/src/lease/versions.js';

describe('the versions of packages', () => {
  let directory: string;

  /** A project with one package. */
  const project = async (name: string, version: string, peerDependencies: Record<string, string> = {}) => {
    const installed = join(directory, 'node_modules', name);
    await mkdir(installed, { recursive: true });
    await writeFile(join(installed, 'package.json'), JSON.stringify({ name, version }));
    const manifest = join(directory, 'package.json');
    await writeFile(manifest, JSON.stringify({ name: 'nestjs-db-lock', peerDependencies }));
    return manifest;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-versions-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('are found as the application has them, whatever a package exports', async () => {
    expect(versionOf('typeorm', await project('typeorm', '0.2.45'))).toBe('0.2.45');
    expect(versionOf('@nestjs/core', await project('@nestjs/core', '10.4.1'))).toBe('10.4.1');
    expect(versionOf('nowhere', join(directory, 'package.json'))).toBeUndefined();
    const { version } = JSON.parse(await readFile('node_modules/typeorm/package.json', 'utf8')) as {
      version: string;
    };
    expect(versionOf('typeorm', MANIFEST)).toBe(version);
  });

  it.each([
    ['0.2.45', false],
    ['0.3.19', false],
    ['0.3.20', true],
    ['0.3.31', true],
    ['1.0.0', false],
    ['1.1.0', true],
    ['1.2.0-beta.1', true],
    ['2.0.0', false],
  ])('fit or are named: TypeORM %s', async (version, fits) => {
    const { peerDependencies } = JSON.parse(await readFile(MANIFEST, 'utf8')) as {
      peerDependencies: Record<string, string>;
    };
    const check = checkVersions.bind(undefined, await project('typeorm', version, peerDependencies));
    if (fits) expect(() => check('typeorm')).not.toThrow();
    else
      expect(() => check('typeorm')).toThrow(
        `typeorm: version ${version} is installed, but this library works with`,
      );
  });

  it('pass in a bundle, which has its own package.json or none', async () => {
    await project('typeorm', '0.2.45');
    const manifest = join(directory, 'package.json');
    await writeFile(manifest, JSON.stringify({ name: 'shop', peerDependencies: { typeorm: '^1.1.0' } }));
    expect(() => checkVersions(manifest, 'typeorm')).not.toThrow();
    expect(() => checkVersions(join(directory, 'nowhere.json'), 'typeorm')).not.toThrow();
  });

  it('pass where nobody can tell them', async () => {
    const manifest = await project('typeorm', '1.1.0', { ioredis: '^6.0.0' });
    expect(() => checkVersions(manifest, 'ioredis', 'pg')).not.toThrow();
  });
});

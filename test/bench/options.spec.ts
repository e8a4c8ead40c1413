import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WORKSPACE = fileURLToPath(new URL('../..', import.meta.url));

describe('The command line of the benchmarks', () => {
  it.each([
    [['--against', 'no-such-thing'], '--against "no-such-thing" is no commit of this repository.'],
    [['--against=--all'], '--against "--all" is no commit of this repository.'],
    [['--against', ''], '--against "" is no commit of this repository.'],
    [['--against', 'HEAD:package.json'], '--against "HEAD:package.json" is no commit of this repository.'],
    [['--against', 'HEAD', '--scenario', 'http'], '--scenario is for scenarios: --against plays none.'],
    [['--against', 'HEAD', '--rounds', '0'], '--rounds "0" is not a number above 0.'],
    [['--database', 'oracle'], '--database "oracle" is none of postgres, sqlite, mysql.'],
    [
      ['--database', 'mysql', '--scenario', 'growth,http'],
      '--scenario http is about PostgreSQL: --database mysql has uncontended, refused, hot-lock, shared, semaphore, growth.',
    ],
    [['--sqlite-driver', 'libsql'], '--sqlite-driver is for --database sqlite.'],
  ])('is refused with %j', (args, why) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, ['bench/main.js', ...args], {
      cwd: WORKSPACE,
      encoding: 'utf8',
    });
    expect({ status, stdout, why: stderr.split('\n')[0] }).toEqual({ status: 1, stdout: '', why });
    expect(stderr).toContain('npm run bench -- [options]');
  });
});

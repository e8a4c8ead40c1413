import fs, { cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { PgliteClient } from './client.js';
import { PgliteDriver, pgliteDataSourceOptions } from './driver.js';
import { DataDirectoryInUseError } from './errors.js';

const root = mkdtempSync(join(tmpdir(), 'db-lock-data-directory-'));

/** A database made once, for the tests to start with a copy. */
const template = join(root, 'template', 'made', 'as', 'needed');

let copies = 0;
const copy = () => {
  const directory = join(root, `copy-${(copies += 1)}`);
  cpSync(template, directory, { recursive: true });
  return directory;
};

const openAt = (dataDir: string) => new DataSource(pgliteDataSourceOptions({ dataDir })).initialize();
const ours = (path: string) => readdirSync(path).filter((name) => name.startsWith('db-lock'));

/** How many this process has, of which a PGlite has some 60; none where the system doesn't tell. */
const openFiles = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

beforeAll(async () => {
  const opening = openAt(template);
  await sleep(300);
  expect(ours(template)).toEqual(['db-lock.pid', 'db-lock.unfinished']);

  const dataSource = await opening;
  await dataSource.query('CREATE TABLE tally (n int); INSERT INTO tally VALUES (1)');
  expect(ours(template)).toEqual(['db-lock.pid']);
  await dataSource.destroy();
});

afterAll(() => rmSync(root, { recursive: true }));

describe('the data directory of the embedded database', () => {
  it('is made when missing, for its owner alone, and claimed as long as it is open', () => {
    expect(statSync(template).mode & 0o777).toBe(0o700);
    expect(ours(template)).toEqual([]);
  });

  it('is opened once for several DataSources, closed after the last, and opens again', async () => {
    const directory = copy();
    const options = pgliteDataSourceOptions({ dataDir: directory });
    const [first, second] = await Promise.all([
      new DataSource(options).initialize(),
      new DataSource({ ...options }).initialize(),
    ]);
    await first.query('INSERT INTO tally VALUES (2)');
    expect(await second.query('SELECT n FROM tally ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    await first.destroy();
    expect(await second.query('DELETE FROM tally WHERE n = 1')).toEqual([[], 1]);
    expect(ours(directory)).toEqual(['db-lock.pid']);
    await second.destroy();
    expect(ours(directory)).toEqual([]);

    const third = await new DataSource(options).initialize();
    expect(await third.query('SELECT n FROM tally')).toEqual([{ n: 2 }]);
    await third.destroy();
  });

  it('stays open when the last user leaves while another one waits in line', async () => {
    const directory = copy();
    const options = pgliteDataSourceOptions({ dataDir: directory });
    const first = await new DataSource(options).initialize();
    const runner = first.createQueryRunner();
    await runner.query('CREATE TEMPORARY TABLE gone_with_the_session (n int)');
    const opening = new DataSource(options).initialize();
    await sleep(20);
    const [second] = await Promise.all([opening, first.destroy()]);
    expect(await second.query('SELECT n FROM gone_with_the_session')).toEqual([]);
    await second.destroy();
    expect(ours(directory)).toEqual([]);
  });

  it('is refused to a second driver, until the first one closes', async () => {
    const directory = copy();
    const holder = await openAt(directory);
    const second = new DataSource(pgliteDataSourceOptions({ dataDir: directory }));
    await expect(second.initialize()).rejects.toBeInstanceOf(DataDirectoryInUseError);
    expect(await holder.query('SELECT n FROM tally')).toEqual([{ n: 1 }]);
    await holder.destroy();

    await second.initialize();
    expect(await second.query('SELECT n FROM tally')).toEqual([{ n: 1 }]);
    await second.destroy();
  });

  const diskFull = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  const insert = { text: 'INSERT INTO tally VALUES ($1)', values: [3] };
  const checkpoint = { name: 'in several messages', text: 'CHECKPOINT' };

  it.each([
    ['a full disk at a commit', diskFull, insert, 'PANIC: .*No space left on device'],
    ['a full disk in the middle of a statement', diskFull, checkpoint, 'PANIC: .*No space left on device'],
    ['a fault in PGlite', new TypeError('a fault'), insert, 'no answer'],
  ])('is opened again, with all that was committed, after %s', async (_, fault, statement, reason) => {
    const before = openFiles();
    const dataSource = await openAt(copy());
    await dataSource.query('INSERT INTO tally VALUES (2)');
    const [client, release] = (await (dataSource.driver as PostgresDriver).obtainMasterConnection()) as [
      PgliteClient,
      PgliteClient['release'],
    ];

    const disk = jest.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw fault;
    });
    await expect(client.query(statement)).rejects.toThrow(
      new RegExp(`^The embedded database has stopped: ${reason}$`),
    );
    await expect(client.query('SELECT 1')).rejects.toThrow('not queryable');
    disk.mockRestore();
    release();

    expect(await dataSource.query('SELECT n FROM tally ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    await dataSource.destroy();
    expect(openFiles()).toBeLessThan(before + 20);
  });

  it('is let go when its database does not open, with an error that says why', async () => {
    const directory = copy();
    writeFileSync(join(directory, 'PG_VERSION'), '12\n');
    await expect(openAt(directory)).rejects.toThrow(
      `The embedded database in ${directory} does not open: FATAL:  database files are incompatible with server`,
    );
    expect(ours(directory)).toEqual([]);
  });

  it.each(['', 'memory://', 'memory://locks', 'file:///var/lib/locks', 'idb://locks'])(
    'is a path, not "%s"',
    (dataDir) => {
      expect(() => new PgliteDriver({ dataDir })).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIGURATION', option: 'dataDir' }),
      );
    },
  );
});

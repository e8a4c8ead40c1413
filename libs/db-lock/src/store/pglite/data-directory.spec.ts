import fs, { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { PgliteClient } from './client.js';
import { copyPgliteTemplate } from '../../../../../test/support/pglite-template.js';
import { PgliteDriver, pgliteDataSourceOptions } from './driver.js';
import { DataDirectoryInUseError } from './errors.js';

const root = mkdtempSync(join(tmpdir(), 'db-lock-data-directory-'));

/** A database made once, for the tests to start with a copy. */
const template = join(root, 'template');

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
  await copyPgliteTemplate(template);
  const dataSource = await openAt(template);
  await dataSource.query('CREATE TABLE tally (n int); INSERT INTO tally VALUES (1)');
  expect(ours(template)).toEqual(['db-lock.pid']);
  await dataSource.destroy();
  expect(ours(template)).toEqual([]);
});

afterAll(() => rmSync(root, { recursive: true }));

describe('the data directory of the embedded database', () => {
  it('is opened once for several DataSources, closed after the last, and then opens for another driver', async () => {
    const directory = copy();
    const options = pgliteDataSourceOptions({ dataDir: directory });
    const other = new DataSource(pgliteDataSourceOptions({ dataDir: directory }));
    const [first, second] = await Promise.all([
      new DataSource(options).initialize(),
      new DataSource({ ...options }).initialize(),
    ]);
    await expect(other.initialize()).rejects.toBeInstanceOf(DataDirectoryInUseError);
    await first.query('INSERT INTO tally VALUES (2)');
    expect(await second.query('SELECT n FROM tally ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    await first.destroy();
    expect(await second.query('DELETE FROM tally WHERE n = 1')).toEqual([[], 1]);
    expect(ours(directory)).toEqual(['db-lock.pid']);
    await second.destroy();
    expect(ours(directory)).toEqual([]);

    await other.initialize();
    expect(await other.query('SELECT n FROM tally')).toEqual([{ n: 2 }]);
    await other.destroy();
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

  const diskFull = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  const insert = { text: 'INSERT INTO tally VALUES ($1)', values: [3] };
  const checkpoint = { name: 'in several messages', text: 'CHECKPOINT' };

  const FAULTS = [
    { fault: diskFull, statement: insert, reason: 'PANIC: .*No space left on device' },
    { fault: diskFull, statement: checkpoint, reason: 'PANIC: .*No space left on device' },
    { fault: new TypeError('a fault'), statement: insert, reason: 'no answer' },
  ];

  it('is opened again, with all that was committed, after a full disk and after a fault in PGlite', async () => {
    const before = openFiles();
    const dataSource = await openAt(copy());
    for (const [round, { fault, statement, reason }] of FAULTS.entries()) {
      await dataSource.query('UPDATE tally SET n = $1', [round]);
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

      expect(await dataSource.query('SELECT n FROM tally')).toEqual([{ n: round }]);
    }
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

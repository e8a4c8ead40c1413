import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { ScriptProcess } from '../../../../../test/support/child-process.js';
import { until } from '../../../../../test/support/patience.js';
import { copyPgliteTemplate } from '../../../../../test/support/pglite-template.js';
import { pgliteDataSourceOptions } from './driver.js';

/** Milliseconds: on a busy machine PGlite may take a while for its first start. */
const PATIENCE = 120_000;

/** Opens the directory, prints how many rows it finds, then adds one after another and prints each that is committed. */
const WRITER = `
  import { DataSource } from 'typeorm';
  import { pgliteDataSourceOptions } from 'nestjs-db-lock/pglite';

  const dataSource = new DataSource(pgliteDataSourceOptions({ dataDir: process.argv[1] }));
  await dataSource.initialize();
  await dataSource.query('CREATE TABLE IF NOT EXISTS tally (n int PRIMARY KEY, text text)');
  const [{ rows, highest }] = await dataSource.query(
    'SELECT count(*)::int AS rows, coalesce(max(n), 0) AS highest FROM tally');
  if (rows !== highest) throw new Error('There are ' + rows + ' rows up to ' + highest);
  console.log(rows);
  for (let n = rows + 1; ; n += 1) {
    await dataSource.transaction((manager) =>
      manager.query('INSERT INTO tally VALUES ($1, $2)', [n, 'x'.repeat(500)]));
    console.log(n);
  }`;

describe('kill -9 of the process with the embedded database', () => {
  const root = mkdtempSync(join(tmpdir(), 'db-lock-kill-'));
  afterAll(() => rmSync(root, { recursive: true }));

  it('does no harm while the database is made', async () => {
    const directory = join(root, 'made', 'as', 'needed');
    const writer = new ScriptProcess(WRITER, directory);
    await until('the directory to be filled', PATIENCE, () => existsSync(join(directory, 'PG_VERSION')));
    await writer.kill();
    expect(writer.lines).toEqual([]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const unfinished = join(directory, 'db-lock.unfinished');
    expect(existsSync(unfinished)).toBe(true);

    // However soon it was killed: what is there is not trusted.
    rmSync(join(directory, 'global'), { recursive: true, force: true });
    const dataSource = await new DataSource(pgliteDataSourceOptions({ dataDir: directory })).initialize();
    expect(existsSync(unfinished)).toBe(false);
    expect(await dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await dataSource.destroy();
  });

  it('loses no row that was committed, round after round, and frees the directory', async () => {
    const directory = join(root, 'data');
    await copyPgliteTemplate(directory);
    let committed = 0;
    for (const milliseconds of [0, 300, 0]) {
      const writer = new ScriptProcess(WRITER, directory);
      const found = Number(await writer.line());
      // the last row may have been committed without a chance to say so
      expect([committed, committed + 1]).toContain(found);

      const second = new DataSource(pgliteDataSourceOptions({ dataDir: directory }));
      await expect(second.initialize()).rejects.toMatchObject({
        code: 'DATA_DIRECTORY_IN_USE',
        pid: writer.pid,
      });

      await writer.line(5);
      await sleep(milliseconds);
      await writer.kill();
      committed = Number(writer.lines.at(-1));
    }
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ScriptProcess } from '../../../../../test/support/child-process.js';
import { until } from '../../../../../test/support/patience.js';
import { DataDirectoryInUseError } from './errors.js';
import { PidFile } from './pid-file.js';
import { ownIdentity } from './process-identity.js';

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('the pid file of a data directory', () => {
  let directory: string;
  const path = () => join(directory, 'db-lock.pid');
  const left = (identity: object) => writeFileSync(path(), JSON.stringify(identity));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'db-lock-pid-file-'));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it('names this process while it is taken, and is gone when it is released', async () => {
    const file = await PidFile.take(directory);
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toMatchObject(ownIdentity());
    file.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('refuses a second user in the same process', async () => {
    const file = await PidFile.take(directory);
    await expect(PidFile.take(directory)).rejects.toThrow(`already open in this process (${process.pid})`);
    file.release();
    (await PidFile.take(directory)).release();
  });

  it('refuses a directory that another living process uses, with an error that tells what to do', async () => {
    left({ pid: process.ppid });
    const refused = await PidFile.take(directory).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DataDirectoryInUseError);
    expect(refused).toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', directory, pid: process.ppid });
    expect((refused as Error).message).toBe(
      `The data directory ${directory} is in use by process ${process.ppid}, and two processes would corrupt it. ` +
        `Stop that process or choose another directory. ` +
        `If process ${process.ppid} is something else, remove ${path()}.`,
    );
  });

  it.each([
    ['of a process that has ended', () => JSON.stringify({ pid: spawnSync(process.execPath, ['-v']).pid })],
    ['that is empty', () => ''],
    ['that is no pid file', () => '{"pid":0}'],
    ['that was cut off', () => '{"pid":1,"sta'],
  ])('replaces one %s', async (_, content) => {
    writeFileSync(path(), content());
    const file = await PidFile.take(directory);
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toMatchObject({ pid: process.pid });
    file.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  onLinux('replaces one whose pid now belongs to another process', async () => {
    left({ pid: process.ppid, startTime: ownIdentity().startTime });
    (await PidFile.take(directory)).release();
  });

  onLinux(
    'replaces one with its own pid from an earlier life, as in a container where all are pid 1',
    async () => {
      left({ pid: process.pid, startTime: '1' });
      (await PidFile.take(directory)).release();
    },
  );

  onLinux('replaces one of a process that has ended, but whose parent has not noticed yet', async () => {
    // sleep does not know of the child that its process had as a shell
    const parent = spawn('/bin/sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60']);
    const pid = Number(await once(parent.stdout, 'data'));
    left({ pid });
    await until('the child has ended', 10_000, () =>
      readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '),
    );
    (await PidFile.take(directory)).release();
    parent.kill();
  });

  it('leaves alone a file that is no longer its own when it is released', async () => {
    const file = await PidFile.take(directory);
    left({ pid: process.ppid });
    file.release();
    expect(readdirSync(directory)).toEqual(['db-lock.pid']);
  });

  it('gives way to who judged the same file stale and replaced it last', async () => {
    left({ pid: 2 ** 30 });
    const taking = PidFile.take(directory);
    left({ pid: process.ppid });
    await expect(taking).rejects.toBeInstanceOf(DataDirectoryInUseError);
    expect(readdirSync(directory)).toEqual(['db-lock.pid']);
  });

  it('lets one of two in one process replace a stale one', async () => {
    left({ pid: 2 ** 30 });
    const outcomes = await Promise.allSettled([PidFile.take(directory), PidFile.take(directory)]);
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('lets one of many processes replace a stale one', async () => {
    left({ pid: 2 ** 30 });
    const script = `
      import { PidFile } from './libs/db-lock/src/store/pglite/pid-file.ts';
      const [, directory, start] = process.argv;
      while (Date.now() < Number(start));
      console.log(await PidFile.take(directory).then(() => 'taken', (error) => error.code));
      process.stdin.resume();`;
    const start = String(Date.now() + 2000);
    const contenders = Array.from({ length: 6 }, () => new ScriptProcess(script, directory, start));
    const outcomes = await Promise.all(contenders.map((contender) => contender.line()));
    await Promise.all(contenders.map((contender) => contender.finish()));
    expect(outcomes.sort()).toEqual([...Array(5).fill('DATA_DIRECTORY_IN_USE'), 'taken']);
  });
});

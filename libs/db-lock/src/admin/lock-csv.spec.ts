import { describe, expect, it } from '@jest/globals';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import type { LockRecord } from '../store/lock-store.js';
import { lockCsv } from './lock-csv.js';

const HEADER =
  '"lock_name","state","worker_name","fencing_token","lock_time","expire_time","waiting","metadata","mode","holders","permits","limits"\r\n';

const TIME = new Date('2026-01-02T03:04:05.678Z');

const lock = (members: Partial<LockRecord> = {}): LockRecord => ({
  lockName: 'job',
  state: 'held',
  workerName: 'ann',
  fencingToken: 7,
  lockTime: TIME,
  expireTime: TIME,
  metadata: null,
  serverTime: TIME,
  waiting: 0,
  ...members,
});

async function* chunksOf(...chunks: LockRecord[][]) {
  yield* chunks;
}

async function textOf(...locks: LockRecord[]): Promise<string> {
  const bytes = await buffer(await lockCsv(chunksOf(locks)));
  expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
  return bytes.subarray(3).toString();
}

describe('lockCsv', () => {
  it('is a line for each lock below a header, with a byte order mark', async () => {
    expect(await textOf(lock(), lock({ state: 'released', workerName: null, waiting: 3 }))).toBe(
      HEADER +
        '"job","held","ann","7","2026-01-02T03:04:05.678Z","2026-01-02T03:04:05.678Z","0",,"exclusive","1",,\r\n' +
        '"job","released",,"7","2026-01-02T03:04:05.678Z","2026-01-02T03:04:05.678Z","3",,,"0",,\r\n',
    );
  });

  it('tells of those who share a lock', async () => {
    const sharing = { holders: 3, permits: 4, limits: [5, 8] };
    expect(await textOf(lock({ sharing }))).toContain('"0",,"shared","3","4","5 8"\r\n');
    expect(await textOf(lock({ sharing: { ...sharing, limits: [] } }))).toContain(',"shared","3","4",\r\n');
  });

  it('is a header alone where there are no locks', async () => {
    expect(await textOf()).toBe(HEADER);
  });

  it('quotes every cell, whatever would break a line or a cell', async () => {
    const text = await textOf(lock({ lockName: 'a,"b"\r\nc', metadata: { d: 'e"f' } }));
    expect(text).toContain('"a,""b""\r\nc","held"');
    for (const name of ['a\nb', 'a\rb', '\r', '\n'])
      expect(await textOf(lock({ lockName: name }))).toMatch(new RegExp(`\r\n"'?${name}","held"`));
    expect(text).toContain(',"{""d"":""e\\""f""}",');
  });

  it.each([
    ...['=1+1', '+1', '-1', '@a', '＝1', '＋1', '－1', '＠a', '\ta', '\ra', '\na'].map((name) => [
      name,
      `'${name}`,
    ]),
    ['\n=1+1', "'\n'=1+1"],
    ["x;=cmd|'/c calc'!A0", "x;'=cmd|'/c calc'!A0"],
    ['x;-1', "x;'-1"],
    ['x\t@a', "x\t'@a"],
    ['x\r\n+1', "x\r\n'+1"],
    ['x;"=1+1', `x;""'=1+1`],
  ])('keeps %j from being a formula, whatever the separator', async (name, escaped) => {
    const text = await textOf(lock({ lockName: name, workerName: name }));
    expect(text).toContain(`\r\n"${escaped}","held","${escaped}","7"`);
  });

  it('leaves everything else as it is', async () => {
    for (const name of ["it's", '1=1', ' =1', 'a;b', 'a:=1', '<b>', '\u202eabc', '任务'])
      expect(await textOf(lock({ lockName: name }))).toContain(`\r\n"${name}","held"`);
  });

  it('reads no faster than it is read, and no further when that ends', async () => {
    let chunks = 0;
    let isOver = false;
    async function* endless() {
      try {
        for (;;) {
          chunks++;
          yield Array.from({ length: 1_000 }, () => lock());
          await setImmediate();
        }
      } finally {
        isOver = true;
      }
    }
    const csv = await lockCsv(endless());
    for await (const _ of csv) break;
    for (let turns = 0; !isOver && turns < 10_000; turns++) await setImmediate();
    expect(isOver).toBe(true);
    expect(chunks).toBeLessThan(10);
  });

  it('fails as the list of locks does', async () => {
    async function* broken(chunks = 1) {
      if (chunks > 0) yield [lock()];
      throw new Error('no database');
    }
    await expect(buffer(await lockCsv(broken()))).rejects.toThrow('no database');
    await expect(lockCsv(broken(0))).rejects.toThrow('no database');
  });
});

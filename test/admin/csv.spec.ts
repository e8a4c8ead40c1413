import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Agent, request } from 'undici';
import { MemoryLogger } from '../support/memory-logger.js';
import { until } from '../support/patience.js';
import { PLATFORMS } from '../support/platforms.js';
import { AdminScene, PATIENCE } from './scene.js';

const HEADER = [
  'lock_name',
  'state',
  'worker_name',
  'fencing_token',
  'lock_time',
  'expire_time',
  'waiting',
  'metadata',
  'mode',
  'holders',
  'permits',
  'limits',
];

/** The records of an RFC 4180 text. */
function recordsOf(csv: string): string[][] {
  expect(csv.endsWith('\r\n')).toBe(true);
  const records: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  while (cell.lastIndex < csv.length) {
    const at = cell.lastIndex;
    const [, quoted, plain, end] = cell.exec(csv) ?? [];
    if (end === undefined)
      throw new Error(`No cell begins at ${at}: ${JSON.stringify(csv.slice(at, at + 80))}`);
    records.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === '\r\n') records.push([]);
  }
  return records.slice(0, -1);
}

/** What a spreadsheet would take for a formula. */
const FORMULAS = [
  '=1+1',
  '+1',
  '-1',
  '@SUM(A1)',
  '\ttab',
  '\rreturn',
  '\nfeed',
  `=HYPERLINK("http://x","y")`,
];

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(PLATFORMS)('locks as CSV, on %s', (platform) => {
  it('are a file with a header and a line for each that matches, in the order of their names', async () => {
    await using scene = await AdminScene.open({ platform, features: [{ feature: 'dblock' }] });
    const metadata = { note: 'a "quoted", text\nin lines' };
    const held = await scene.held({ lockName: 'b:held', workerName: 'ann, "the" worker', metadata });
    await scene.released('a:released');
    await scene.service.leaveExpired('c');
    const answer = await scene.ask('GET', 'locks.csv');
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': expect.stringMatching(/^text\/csv\b/),
        'content-disposition': 'attachment; filename="dblock-locks.csv"',
        'cache-control': 'no-store',
      },
    });
    const [header, ...locks] = recordsOf(answer.text);
    expect(header).toEqual(HEADER);
    expect(locks.map(([name, state]) => [name, state])).toEqual([
      ['a:released', 'released'],
      ['b:held', 'held'],
      ['c', 'expired'],
    ]);
    expect(locks[1]).toEqual([
      'b:held',
      'held',
      'ann, "the" worker',
      String(held.fencingToken),
      held.lockTime,
      held.expireTime,
      '0',
      JSON.stringify(metadata),
      'exclusive',
      '1',
      '',
      '',
    ]);
    expect(locks[0]!.slice(6)).toEqual(['0', '', '', '0', '', '']);

    const names = async (query: Record<string, string>) =>
      recordsOf((await scene.ask('GET', 'locks.csv', { query })).text).map(([name]) => name);
    expect(await names({ state: 'expired' })).toEqual(['lock_name', 'c']);
    expect(await names({ prefix: 'b:' })).toEqual(['lock_name', 'b:held']);
    expect(await names({ search: 'ANN' })).toEqual(['lock_name', 'b:held']);
    expect(await names({ search: 'nothing of the kind' })).toEqual(['lock_name']);
  });

  it('are all of them, however many', async () => {
    await using scene = await AdminScene.open({ platform });
    await scene.service.query(
      `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time)
       SELECT 'job:' || lpad(place::text, 5, '0'), place, now(), now() FROM generate_series(1, 2500) AS place`,
    );
    const [, ...locks] = recordsOf((await scene.ask('GET', 'locks.csv')).text);
    expect(locks.map(([name, , , token]) => `${name} ${token}`)).toEqual(
      Array.from({ length: 2500 }, (_, index) => `job:${String(index + 1).padStart(5, '0')} ${index + 1}`),
    );
  });

  it('hold nothing that a spreadsheet would take for a formula', async () => {
    await using scene = await AdminScene.open({ platform });
    for (const formula of FORMULAS) await scene.lease(formula, { workerName: formula });
    const [, ...locks] = recordsOf((await scene.ask('GET', 'locks.csv')).text);
    const escaped = FORMULAS.map((formula) => `'${formula}`).sort();
    expect(locks.map(([name]) => name).sort()).toEqual(escaped);
    expect(locks.map(([, , worker]) => worker).sort()).toEqual(escaped);
  });

  it('are read no further when the client hangs up, which is nothing to log', async () => {
    const log = new MemoryLogger();
    await using scene = await AdminScene.open({ platform, logger: log });
    await scene.service.query(
      `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time, metadata)
       SELECT 'job:' || place, place, now(), now(), jsonb_build_object('text', repeat('x', 2000))
       FROM generate_series(1, 30000) AS place`,
    );
    const { desk } = scene.service.locks;
    const listAll = desk.listAll.bind(desk);
    let chunks = 0;
    let isOver = false;
    jest.spyOn(desk, 'listAll').mockImplementation(async function* (filter) {
      try {
        for await (const chunk of listAll(filter)) {
          chunks++;
          yield chunk;
        }
      } finally {
        isOver = true;
      }
    });
    const dispatcher = new Agent();
    const { body } = await request(`${scene.service.apiServer}/admin/api/locks.csv`, { dispatcher });
    for await (const _ of body) break; // which destroys it
    // It may have connected anew, and the server would wait for a request there.
    await dispatcher.destroy();
    await until('nobody reads any more', PATIENCE, () => isOver);
    expect(chunks).toBeLessThan(30);
    expect((await scene.list({ pageSize: '1' })).total).toBe(30_000);
    expect([...log.errors, ...log.warnings]).toEqual([]);
  });

  it('are known to be cut short when the database goes away meanwhile', async () => {
    await using scene = await AdminScene.open({ platform, logger: new MemoryLogger() });
    const { desk } = scene.service.locks;
    const listAll = desk.listAll.bind(desk);
    await scene.lease('job');
    jest.spyOn(desk, 'listAll').mockImplementation(async function* (filter) {
      for (let chunk = 0; chunk < 300; chunk++) yield* listAll(filter);
      throw new Error('The database has gone.');
    });
    const { body } = await request(`${scene.service.apiServer}/admin/api/locks.csv`);
    await expect(body.text()).rejects.toThrow();
    expect((await scene.list()).total).toBe(1);
  });
});

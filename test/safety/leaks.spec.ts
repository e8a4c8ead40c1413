import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ScriptProcess } from '../support/child-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Far below what the least leak would add: one string of 40 bytes a name is 4 MB, a lease is some 100 MB. */
const TOLERANCE = 8 * 1024 * 1024;

/**
 * Takes and releases 100,000 different locks, every other one as somebody who would wait for it, and tells by how many bytes the
 * heap has grown: in a process of its own, where nothing else grows.
 */
const CHILD = `
  import { LockClient } from 'nestjs-db-lock';
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  import { createLockApplication } from './test/support/lock-application.ts';

  const [, url] = process.argv;
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  const app = await createLockApplication({ database: { type: 'postgres', url } });
  const locks = app.get(LockClient);
  let next = 0;
  const work = async (until) => {
    while (next < until) {
      const wait = next % 2 ? 1000 : 0;
      const lease = await locks.acquire('leak:' + next++ + ':' + 'x'.repeat(30), { keepAlive: true, wait });
      void lease.signal;
      await lease.release();
    }
  };
  const workTo = (until) => Promise.all(Array.from({ length: 256 }, () => work(until)));
  const heap = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };

  await workTo(10_000); // caches fill, functions are compiled
  const before = heap();
  await workTo(110_000);
  console.log(heap() - before);
  await app.close();`;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

it('100,000 different names leak nothing in the process (case 38)', async () => {
  const child = new ScriptProcess(CHILD, database.url);
  expect(Number(await child.line())).toBeLessThan(TOLERANCE);
  await child.finish();
}, 300_000);

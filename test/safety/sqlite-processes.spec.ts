import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import libsql from 'libsql';
import { dbLockSchemaSql } from 'nestjs-db-lock';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScriptProcess } from '../support/child-process.js';
import { until } from '../support/patience.js';

/** Processes at a time, and how many of them are killed. */
const PROCESSES = 4;
const KILLS = 12;

/** Grants that are to be seen before the next one is killed. */
const GRANTS = 150;

/**
 * Takes and releases hot locks with short leases, some of which it lets run out, and keeps others. Prints a line for each answer: `kept`,
 * or `used` with when it began and ended for certain, in microseconds.
 */
const WORKER = `
import libsql from 'libsql';
import { randomInt, randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { dbLockEntities } from 'nestjs-db-lock';
import { databaseOf } from './libs/db-lock/src/store/databases.js';

const tables = { lock: 'dblock_lock', history: 'dblock_history', waiter: 'dblock_waiter', holder: 'dblock_holder', statistics: 'dblock_statistics' };
const source = await new DataSource({ type: 'better-sqlite3', driver: libsql, database: process.argv[1], entities: dbLockEntities() }).initialize();
const store = await databaseOf(source).open(source, { tables, statementTimeout: 30_000 });
console.log('ready');
const request = (lockName, ttl) => ({ lockName, workerName: String(process.pid), grantId: randomUUID(), ttl, metadata: null });
for (let count = 0; ; count++) {
  if (randomInt(4) === 0) {
    const [answer] = await store.acquire([request('kept:' + process.pid + ':' + count, 3_600_000)]);
    const { lockName, grantId, fencingToken } = answer.lease;
    console.log(JSON.stringify(['kept', lockName, grantId, fencingToken]));
  } else {
    const first = randomInt(20);
    const names = Array.from({ length: 1 + randomInt(8) }, (_, index) => 'hot:' + ((first + index) % 20));
    const answers = await store.acquire(names.map((name) => request(name, 1 + randomInt(15))));
    const leases = answers.flatMap((answer) => (answer.outcome === 'granted' ? [answer.lease] : []));
    const released = randomInt(3) > 0 && leases.length > 0 ? await store.release(leases) : [];
    for (const [index, lease] of leases.entries()) {
      const end = released[index]?.outcome === 'released' ? released[index].serverTime : lease.expireTime;
      console.log(JSON.stringify(['used', lease.lockName, lease.fencingToken, lease.lockTime.getTime(), end.getTime()]));
    }
  }
  await turn();
}
`;

type Kept = ['kept', lockName: string, grantId: string, token: number];
type Used = ['used', lockName: string, token: number, from: number, to: number];

/** Makes the tables where they are missing, takes a lock, and says so. */
const STARTER = `
import libsql from 'libsql';
import { createLockClient, dbLockEntities } from 'nestjs-db-lock';
import { DataSource } from 'typeorm';

process.stdin.once('data', async () => {
  const dataSource = new DataSource({ type: 'better-sqlite3', driver: libsql, database: process.argv[1], entities: dbLockEntities() });
  const locks = await createLockClient({ dataSource, createTables: true });
  await (await locks.acquire('job:' + process.pid)).release();
  await locks.close();
  console.log('done');
});
console.log('ready');
`;

describe('several processes on one file of SQLite', () => {
  let directory: string;
  let file: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-processes-'));
    file = join(directory, 'locks.db');
  });

  afterEach(() => rm(directory, { recursive: true }));

  it('may start at once on a new file, and make its tables', async () => {
    for (const round of [1, 2, 3]) {
      const starters = Array.from({ length: 4 }, () => new ScriptProcess(STARTER, `${file}-${round}`));
      await Promise.all(starters.map((process) => process.line()));
      for (const process of starters) process.say('go');
      await Promise.all(starters.map((process) => process.line(2)));
      await Promise.all(starters.map((process) => process.kill()));
    }
  });

  it('grant no lock twice and lose no grant, though they are killed one after the other', async () => {
    const database = new libsql(file);
    database.exec(dbLockSchemaSql({ database: 'better-sqlite3' }));
    database.close();
    const start = () => new ScriptProcess(WORKER, file);
    const running = Array.from({ length: PROCESSES }, start);
    const ended: ScriptProcess[] = [];
    const linesOf = (processes: ScriptProcess[]) => processes.flatMap(({ lines }) => lines);
    await Promise.all(running.map((process) => process.line()));
    for (let kills = 0; kills < KILLS; kills++) {
      const seen = linesOf([...ended, ...running]).length;
      await until(`${GRANTS} more grants`, 60_000, () => {
        return linesOf([...ended, ...running]).length >= seen + GRANTS;
      });
      const [victim] = running.splice(kills % running.length, 1);
      await victim!.kill();
      ended.push(victim!);
      running.push(start());
      await running.at(-1)!.line();
    }
    await Promise.all(running.map((process) => process.kill()));
    const answers = linesOf([...ended, ...running])
      .filter((line) => line.startsWith('[') && line.endsWith(']'))
      .map((line) => JSON.parse(line) as Kept | Used);
    const kept = answers.filter((answer): answer is Kept => answer[0] === 'kept');
    const used = answers.filter((answer): answer is Used => answer[0] === 'used');
    expect(kept.length).toBeGreaterThan(50);
    expect(used.length).toBeGreaterThan(500);
    expect(overlaps(used)).toEqual([]);
    expect(lost(kept, file)).toEqual([]);
  });
});

/** Leases of one lock that were live at the same time, or whose tokens don't grow. */
function overlaps(used: readonly Used[]): unknown[] {
  const byLock = groups(used);
  return [...byLock.values()].flatMap((leases) => {
    const sorted = leases.toSorted(([, , one], [, , other]) => one - other);
    return sorted.flatMap((lease, index) => {
      const before = sorted[index - 1];
      const isFine = !before || (before[2] < lease[2] && before[4] <= lease[3]);
      return isFine ? [] : [[before, lease]];
    });
  });
}

function groups(used: readonly Used[]): Map<string, Used[]> {
  const byLock = new Map<string, Used[]>();
  for (const lease of used) byLock.set(lease[1], [...(byLock.get(lease[1]) ?? []), lease]);
  return byLock;
}

/** Grants that were acknowledged and are not in the file, and what else is wrong with it. */
function lost(kept: readonly Kept[], file: string): unknown[] {
  const database = new libsql(file);
  try {
    const row = database.prepare('SELECT grant_id, token FROM dblock_lock WHERE lock_name = ?');
    const gone = kept.filter(([, lockName, grantId, token]) => {
      const found = row.get(lockName) as { grant_id: string; token: number } | undefined;
      return found?.grant_id !== grantId || found.token !== token;
    });
    const check = database.prepare('PRAGMA integrity_check').all() as Array<{ integrity_check: string }>;
    return [...gone, ...check.filter(({ integrity_check }) => integrity_check !== 'ok')];
  } finally {
    database.close();
  }
}

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
const KILLS = 6;

/** Leases that are to be seen before the next one is killed. */
const LEASES = 300;

/**
 * Takes hot locks with short leases, alone and in shared mode, many in one batch; renews, downgrades and releases some, and lets others run out.
 * Prints a line for each lease: `held`, with its permits (0 of one that has the lock alone), its limit, and when it began and ended for certain,
 * in milliseconds; or `kept`.
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
const { shared } = store;
console.log('ready');

const request = (lockName, ttl) => ({ lockName, workerName: String(process.pid), grantId: randomUUID(), ttl, metadata: null });
const shareOf = () => {
  const permits = 1 + randomInt(2);
  return { permits, limit: [permits, 3, 5, 5, 8, null][randomInt(6)] };
};
const hot = () => 'hot:' + randomInt(4);
const granted = (answers) => answers.flatMap((answer) => (answer.outcome === 'granted' ? [answer.lease] : []));
const tell = ({ lockName, fencingToken, share, from, end }) =>
  console.log(JSON.stringify(['held', lockName, fencingToken, share?.permits ?? 0, share?.limit ?? null, from, end]));

/** Lets each lease run out, or ends it, and tells of it. */
async function finish(leases) {
  const ended = leases.filter(() => randomInt(3) > 0).map((lease) => ({ lease, minHold: randomInt(3) === 0 ? 1 + randomInt(8) : 0 }));
  const answers = await shared.release(ended.map(({ lease: { lockName, grantId }, minHold }) => ({ lockName, grantId, minHold })));
  for (const [index, { lease, minHold }] of ended.entries())
    if (answers[index].outcome === 'released')
      lease.end = Math.max(answers[index].serverTime.getTime(), lease.lockTime.getTime() + minHold);
  for (const lease of leases) tell(lease);
}

const ACTS = [
  async function keep(count) {
    const lockName = 'kept:' + process.pid + ':' + count;
    const answers = await shared.acquire([1, 2].map(() => ({ ...request(lockName, 3_600_000), share: { permits: 1, limit: 2 } })));
    for (const { grantId, fencingToken } of granted(answers)) console.log(JSON.stringify(['kept', lockName, grantId, fencingToken]));
  },
  async function alone() {
    for (const lease of granted(await store.acquire([request(hot(), 1 + randomInt(10))]))) {
      const held = { ...lease, from: lease.lockTime.getTime(), end: lease.expireTime.getTime() };
      if (randomInt(2) === 0) {
        const share = shareOf();
        const [down] = await shared.downgrade([{ lockName: lease.lockName, grantId: lease.grantId, share }]);
        if (down.outcome === 'downgraded') {
          const from = down.lease.serverTime.getTime();
          tell({ ...held, end: from });
          await finish([{ ...down.lease, from, end: held.end }]);
          return;
        }
      } else if (randomInt(2) === 0) {
        const [answer] = await store.release([{ lockName: lease.lockName, grantId: lease.grantId }]);
        if (answer.outcome === 'released') held.end = answer.serverTime.getTime();
      }
      tell(held);
    }
  },
  async function together() {
    const names = [hot(), hot()];
    const requests = Array.from({ length: 1 + randomInt(10) }, () => ({ ...request(names[randomInt(2)], 1 + randomInt(15)), share: shareOf() }));
    const leases = granted(await shared.acquire(requests)).map((lease) => ({ ...lease, from: lease.lockTime.getTime(), end: lease.expireTime.getTime() }));
    const renewed = leases.filter(() => randomInt(4) === 0);
    const answers = await shared.renew(renewed.map(({ lockName, grantId }) => ({ lockName, grantId, ttl: 1 + randomInt(15) })));
    for (const [index, lease] of renewed.entries())
      if (answers[index].outcome === 'renewed') lease.end = answers[index].lease.expireTime.getTime();
    await finish(leases);
  },
];

for (let count = 0; ; count++) {
  await ACTS[[0, 1, 1, 2, 2, 2, 2, 2][randomInt(8)]](count);
  await turn();
}
`;

type Kept = ['kept', lockName: string, grantId: string, token: number];
type Held = [
  'held',
  lockName: string,
  token: number,
  permits: number,
  limit: number | null,
  from: number,
  to: number,
];

const CLIENT = `
import libsql from 'libsql';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLockClient, dbLockEntities } from 'nestjs-db-lock';
import { DataSource } from 'typeorm';

const dataSource = new DataSource({ type: 'better-sqlite3', driver: libsql, database: process.argv[1], entities: dbLockEntities() });
const locks = await createLockClient({ dataSource });
`;

/** Has two permits of the semaphore, and reads, for as long as it lives. Says that it is there when it is asked, and when it has lost a lease. */
const HOLDER = `${CLIENT}
const leases = [
  await locks.acquire('semaphore', { permits: 2, limit: 3, ttl: '10s', keepAlive: true }),
  await locks.acquire('article', { mode: 'shared', ttl: '10s', keepAlive: true }),
];
for (const { signal } of leases) signal.addEventListener('abort', () => console.log('lost'));
process.stdin.on('data', () => console.log('here'));
console.log('ready');
`;

/** Uses both locks many times, and prints who was inside of which, with how many permits (0: alone), from when to when. */
const USER = `${CLIENT}
const use = (name, options) =>
  locks.withLock(name, { ...options, wait: '120s', ttl: '10s' }, async (lease) => {
    const from = Date.now();
    await sleep(2);
    console.log(JSON.stringify(['used', name, lease.permits ?? 0, from, Date.now()]));
  });
console.log('ready');
await once(process.stdin, 'data');
const numbers = Array.from({ length: 30 }, (_, index) => index);
await Promise.all([
  ...numbers.map(() => use('semaphore', { limit: 3 })),
  ...numbers.map((index) => use('article', { mode: index % 5 === 3 ? 'exclusive' : 'shared' })),
]);
await locks.close();
console.log('done');
process.exit();
`;

type Used = ['used', lockName: string, permits: number, from: number, to: number];

const parsed = <Line extends unknown[]>(processes: readonly ScriptProcess[], kind: Line[0]): Line[] =>
  processes
    .flatMap(({ lines }) => lines)
    .filter((line) => line.startsWith('[') && line.endsWith(']'))
    .map((line) => JSON.parse(line) as Line)
    .filter(([what]) => what === kind);

describe('several processes on one file of SQLite that share locks', () => {
  let directory: string;
  let file: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-shared-'));
    file = join(directory, 'locks.db');
    const database = new libsql(file);
    database.exec(dbLockSchemaSql({ database: 'better-sqlite3' }));
    database.close();
  });

  afterEach(() => rm(directory, { recursive: true }));

  it('grant no permit twice and lose no grant, though they are killed one after the other', async () => {
    const running = Array.from({ length: PROCESSES }, () => new ScriptProcess(WORKER, file));
    const ended: ScriptProcess[] = [];
    const linesSoFar = () => [...ended, ...running].flatMap(({ lines }) => lines).length;
    await Promise.all(running.map((process) => process.line()));
    for (let kills = 0; kills < KILLS; kills++) {
      const seen = linesSoFar();
      await until(`${LEASES} more leases`, 60_000, () => linesSoFar() >= seen + LEASES);
      const [victim] = running.splice(kills % running.length, 1);
      await victim!.kill();
      ended.push(victim!);
      running.push(new ScriptProcess(WORKER, file));
      await running.at(-1)!.line();
    }
    await Promise.all(running.map((process) => process.kill()));
    const held = parsed<Held>([...ended, ...running], 'held');
    const kept = parsed<Kept>([...ended, ...running], 'kept');
    expect(kept.length).toBeGreaterThan(50);
    expect(held.filter(([, , , permits]) => permits === 0).length).toBeGreaterThan(50);
    expect(held.filter(([, , , permits]) => permits > 0).length).toBeGreaterThan(500);
    expect(wronglyGranted(held)).toEqual([]);
    expect(lost(kept, file)).toEqual([]);
  });

  it('wait for each other, and have the permits of one that is killed when its leases run out', async () => {
    const holder = new ScriptProcess(HOLDER, file);
    await holder.line();
    const users = Array.from({ length: 3 }, () => new ScriptProcess(USER, file));
    await Promise.all(users.map((process) => process.line()));
    for (const process of users) process.say('go');
    const used = () => parsed<Used>(users, 'used');
    await until('some who are served beside the holder', 60_000, () => used().length >= 20);
    const killedAt = Date.now();
    holder.say('who?');
    await holder.line(2);
    await holder.kill();
    expect(holder.lines).toEqual(['ready', 'here']);
    await until('all who are done', 120_000, () => users.every(({ lines }) => lines.at(-1) === 'done'));
    await Promise.all(users.map((process) => process.kill()));

    const semaphore = used().filter(([, lockName]) => lockName === 'semaphore');
    expect(semaphore).toHaveLength(90);
    const beside = semaphore.filter(([, , , , to]) => to < killedAt);
    expect(beside.length).toBeGreaterThan(0);
    expect(mostAtOnce(beside)).toBe(1);
    expect(mostAtOnce(semaphore)).toBeLessThanOrEqual(3);

    const article = used().filter(([, lockName]) => lockName === 'article');
    const writers = article.filter(([, , permits]) => permits === 0);
    expect([article.length, writers.length]).toEqual([90, 18]);
    expect(writers.filter(([, , , from]) => from < killedAt)).toEqual([]);
    const overlapping = writers.flatMap((writer) =>
      article.filter((other) => other !== writer && other[3] < writer[4] && writer[3] < other[4]),
    );
    expect(overlapping).toEqual([]);
  });
});

/** Grants that did not fit beside the leases that were granted before them and had not ended yet. */
function wronglyGranted(held: readonly Held[]): unknown[] {
  const byToken = held.toSorted((one, other) => one[2] - other[2]);
  return byToken.flatMap((lease, index) => {
    const [, lockName, token, permits, limit, from] = lease;
    const before = byToken.slice(0, index).filter(([, name]) => name === lockName);
    const present = before.filter(([, , , , , , to]) => to > from);
    const taken = present.reduce((sum, other) => sum + other[3], 0);
    const isFine =
      permits === 0
        ? present.length === 0
        : present.every((other) => other[3] > 0) && taken + permits <= (limit ?? Infinity);
    const isNewer = before.every((other) => other[2] < token);
    return isFine && isNewer ? [] : [[lease, present]];
  });
}

/** The most of them that were inside at the same time. */
const mostAtOnce = (used: readonly Used[]) =>
  Math.max(...used.map(([, , , at]) => used.filter(([, , , from, to]) => from <= at && at < to).length));

/** Grants that were acknowledged and are not in the file, and what else is wrong with it. */
function lost(kept: readonly Kept[], file: string): unknown[] {
  const database = new libsql(file);
  try {
    const row = database.prepare(`
SELECT 1 AS found
FROM dblock_holder AS holder
JOIN dblock_lock AS lock ON lock.lock_name = holder.lock_name
WHERE holder.lock_name = ? AND holder.grant_id = ? AND holder.token = ?
  AND lock.grant_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff' AND lock.token >= holder.token AND lock.expire_time >= holder.expire_time`);
    const gone = kept.filter(([, ...lease]) => row.get(...lease) === undefined);
    const check = database.prepare('PRAGMA integrity_check').all() as Array<{ integrity_check: string }>;
    return [...gone, ...check.filter(({ integrity_check }) => integrity_check !== 'ok')];
  } finally {
    database.close();
  }
}

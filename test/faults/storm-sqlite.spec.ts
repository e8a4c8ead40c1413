import { afterAll, beforeAll, expect, it } from '@jest/globals';
import libsql from 'libsql';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_NAMES, Load } from './load.js';
import { sqliteLoad } from './sqlite-load.js';
import { SqliteNeighbour } from './sqlite-neighbour.js';
import { SqliteOutsider } from './sqlite-outsider.js';
import { GRANTS, PATIENCE, PAUSE, blow, pauseClients } from './storm.js';

let directory: string;
let file: string;
let load: Load;
let neighbours: SqliteNeighbour[];
let outsider: SqliteOutsider;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'db-lock-storm-'));
  file = join(directory, 'locks.db');
  load = await Load.start(sqliteLoad(file));
  outsider = await SqliteOutsider.start(file);
  neighbours = [1, 2].map(() => new SqliteNeighbour(file, LOCK_NAMES));
  for (const neighbour of neighbours) await neighbour.isAtWork();
});

afterAll(async () => {
  await endNeighbours();
  await outsider.kill();
  await load.close();
  await rm(directory, { recursive: true });
});

async function endNeighbours(): Promise<void> {
  for (const neighbour of neighbours.splice(0)) await neighbour.kill(load.recorder.history);
}

/** Another process ends while it works with the file, and one more begins. */
async function killNeighbour(): Promise<void> {
  const neighbour = neighbours.shift()!;
  await neighbour.isAtWork();
  await neighbour.kill(load.recorder.history);
  neighbours.push(new SqliteNeighbour(file, LOCK_NAMES));
}

/** Nobody else can write, for longer than statements wait. */
async function keepFile(): Promise<void> {
  await outsider.run('BEGIN IMMEDIATE');
  await sleep(PAUSE);
  await outsider.run('ROLLBACK');
}

/** Another process ends within a transaction that frees all locks: nothing of it may be left. */
async function killWriter(): Promise<void> {
  const writer = await SqliteOutsider.start(file);
  await writer.run('BEGIN IMMEDIATE; UPDATE dblock_lock SET grant_id = NULL, expire_time = 0');
  await writer.kill();
}

/** What is in the log comes into the file, and a copy of it, made meanwhile, is whole. */
async function copyFile(): Promise<void> {
  const copy = join(directory, 'copy.db');
  await outsider.run('PRAGMA wal_checkpoint(RESTART)');
  await outsider.run(`VACUUM INTO '${copy}'`);
  expect(faultsOf(copy)).toEqual([]);
  await rm(copy);
}

/** While somebody still reads what was, the log grows: nothing of it can go into the file. */
async function readForLong(): Promise<void> {
  await outsider.run('BEGIN; SELECT count(*) FROM dblock_lock');
  await load.grants(3 * GRANTS);
  await outsider.run('COMMIT');
  await outsider.run('PRAGMA wal_checkpoint(TRUNCATE)');
}

function faultsOf(path: string): unknown[] {
  const database = new libsql(path);
  try {
    const rows = database.prepare('PRAGMA integrity_check').all() as Array<{ integrity_check: string }>;
    return rows.filter(({ integrity_check }) => integrity_check !== 'ok');
  } finally {
    database.close();
  }
}

const FAULTS = [keepFile, killNeighbour, killWriter, copyFile, pauseClients, readForLong];

it(
  'keeps the safety contract on SQLite while others keep the file, read it for long, and are killed',
  async () => {
    await blow({ faults: FAULTS, fewestFaults: FAULTS.length, after: endNeighbours }, load);
    expect(faultsOf(file)).toEqual([]);
  },
  PATIENCE,
);

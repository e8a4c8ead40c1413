import { writeFile } from 'node:fs/promises';
import { openDatabase } from '../database.js';
import { rotated } from '../rotation.js';
import { medianOf } from '../statistics.js';
import { openLockApplication } from '../systems/lock-application.js';
import { print } from '../table.js';
import { startRedis } from '../waiting/redis.js';
import { countStatements, measure } from './measurement.js';
import { readOptions } from './options.js';

/** @typedef {import('./measurement.js').Measurement} Measurement */

const options = readOptions();
const database = await openDatabase();
const redis = await startRedis();
const gate = { redis: { url: redis.url } };

/** @type {Array<[name: string, options: Partial<import('nestjs-db-lock').DbLockModuleOptions>]>} */
const SYSTEMS = [
  ['no gate', {}],
  ['gate', gate],
  ['known busy, 100 ms', { knownBusy: 100 }],
  ['gate and known busy', { ...gate, knownBusy: 100 }],
];

/** @type {Array<[heading: string, cell: (row: Measurement) => string]>} */
const COLUMNS = [
  ['system', ({ system }) => system],
  ['attempts/s', ({ attempts }) => attempts.toFixed(0)],
  ['refused %', ({ refused }) => refused.toFixed(1)],
  ['statements for 1,000 attempts', ({ statements }) => statements.toFixed(1)],
  ['names asked for in them', ({ names }) => names.toFixed(0)],
];

countStatements();
/** @type {Measurement[]} */
const measurements = [];
const holder = await openLockApplication(database.url, gate);
const systems = [];
try {
  for (let index = 0; index < options.held; index++)
    await holder.locks.acquire(`held:${index}`, { ttl: '1h', keepAlive: false });
  for (const [name, settings] of SYSTEMS)
    systems.push({ name, ...(await openLockApplication(database.url, settings)) });
  for (const system of systems) await measure(system, { ...options, seconds: 1 });
  for (let round = 0; round < options.rounds; round++)
    for (const system of rotated(systems, round)) measurements.push(await measure(system, options));
} finally {
  for (const { close } of [...systems, holder]) await close();
  await redis.stop();
  await database.close();
}

const summary = SYSTEMS.map(([name]) => {
  const ofSystem = measurements.filter(({ system }) => system === name);
  const median = (/** @type {Exclude<keyof Measurement, 'system'>} */ what) =>
    medianOf(ofSystem.map((one) => one[what]));
  return {
    system: name,
    attempts: median('attempts'),
    statements: median('statements'),
    names: median('names'),
    refused: median('refused'),
  };
});
process.stdout.write(`${options.callers} callers in one process. ${database.origin}; ${redis.origin}.\n\n`);
print(COLUMNS, summary);
if (options.json)
  await writeFile(options.json, `${JSON.stringify({ options, summary, measurements }, null, 2)}\n`);

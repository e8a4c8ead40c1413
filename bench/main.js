import { writeFile } from 'node:fs/promises';
import { COLUMNS } from './columns.js';
import { openDatabase } from './database.js';
import { measure } from './measurement.js';
import { readOptions } from './options.js';
import { rotated } from './rotation.js';
import { summarise } from './summary.js';
import { openDjangoDbLock } from './systems/django-db-lock.js';
import { openLockClient } from './systems/lock-client.js';
import { openRawPg } from './systems/raw-pg.js';
import { print } from './table.js';

const options = readOptions();
const database = await openDatabase();
process.stderr.write(`The benchmark uses ${database.origin}.\n`);

const systems = [];
for (const open of [openRawPg, openLockClient, openDjangoDbLock]) systems.push(await open(database.url));

/** @type {import('./measurement.js').Measurement[]} */
const measurements = [];
try {
  for (const system of systems) {
    for (const callers of options.callers) await measure(system, callers, options.warmUp, database);
  }
  for (let round = 0; round < options.rounds; round++) {
    process.stderr.write(`Round ${round + 1} of ${options.rounds}\n`);
    for (const callers of options.callers) {
      for (const system of rotated(systems, round))
        measurements.push(await measure(system, callers, options.seconds, database));
    }
  }
  const summary = summarise(measurements, systems[0].name);
  print(COLUMNS, summary);
  if (options.json)
    await writeFile(options.json, `${JSON.stringify({ options, summary, measurements }, null, 2)}\n`);
} finally {
  for (const system of systems) await system.close();
  await database.close();
}

import { writeFile } from 'node:fs/promises';
import { rotated } from '../rotation.js';
import { print } from '../table.js';
import { columnsWith } from './columns.js';
import { measure } from './measurement.js';
import { readOptions } from './options.js';
import { startServers } from './servers.js';
import { summarise } from './summary.js';
import { loadSystem } from './systems.js';

const options = readOptions();
/** @type {Map<string, import('./systems.js').SystemModule>} */
const modules = new Map();
for (const system of options.systems) modules.set(system, await loadSystem(system));
const crowds = options.waiters.flatMap((waiters) =>
  options.processes.map((processes) => ({ waiters, processes })),
);

const servers = await startServers(Math.max(...options.waiters));
/** @type {import('./measurement.js').Measurement[]} */
const measurements = [];
try {
  for (let round = 0; round < options.rounds; round++) {
    for (const crowd of crowds) {
      process.stderr.write(
        `Round ${round + 1} of ${options.rounds}: ${crowd.waiters} waiters, ${crowd.processes} processes\n`,
      );
      for (const system of rotated(options.systems, round))
        measurements.push(await measure(system, crowd, options, servers));
    }
  }
} finally {
  await servers.stop();
}

const names = new Map([...modules].map(([system, { name }]) => [system, name]));
const summaries = crowds.map((crowd) => ({
  ...crowd,
  rows: summarise(
    measurements.filter(
      ({ waiters, processes }) => waiters === crowd.waiters && processes === crowd.processes,
    ),
  ),
}));

process.stdout.write(
  `One lock, held for ${options.hold} ms and asked for again ${options.pause} ms after its release. ${servers.origin}.\n\n`,
);
for (const { name, settings } of modules.values()) process.stdout.write(`- ${name}: ${settings}\n`);
for (const { waiters, processes, rows } of summaries) {
  process.stdout.write(
    `\n${waiters} waiters in ${processes} ${processes === 1 ? 'process' : 'processes'}:\n\n`,
  );
  print(columnsWith(names), rows);
}
if (options.json)
  await writeFile(options.json, `${JSON.stringify({ options, summaries, measurements }, null, 2)}\n`);
if (measurements.some(({ overlaps }) => overlaps > 0)) {
  process.stderr.write('A lock was held twice at a time.\n');
  process.exitCode = 1;
}

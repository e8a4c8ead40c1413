import { writeFile } from 'node:fs/promises';
import { onStage } from './contest/stage.js';
import { describeMachine, machineText } from './machine.js';
import { GOAL_COLUMNS, judge } from './report/judgement.js';
import { outcomeText, settingsText } from './report/outcome.js';
import { tableOf } from './report/table.js';
import { loadScenario } from './scenarios.js';
import { startServers } from './servers/servers.js';
import { loadSystem, SYSTEMS } from './systems.js';

/**
 * Plays the scenarios one after the other, prints what they find and writes it down.
 *
 * @param {import('./options.js').Options} options
 * @param {(text: string) => void} say
 * @returns {Promise<boolean>} whether all of them came to their end, and no lock was held by too many at a time
 */
export async function runBenchmark(options, say) {
  await Promise.all(SYSTEMS.map(loadSystem)); // Before the servers start: see startPostgres().
  const print = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);
  const servers = await startServers(options);
  const machine = describeMachine(servers);
  /** @type {Record<string, { title: string, systems: import('./contest/contender.js').Description[], measurements: import('./contest/rounds.js').Measurement[] }>} */
  const scenarios = {};
  const goals = () =>
    judge(
      options.database,
      Object.fromEntries(Object.entries(scenarios).map(([name, { measurements }]) => [name, measurements])),
    );
  const save = async () => {
    const record = { machine, options, scenarios, goals: goals() };
    if (options.json) await writeFile(options.json, `${JSON.stringify(record, null, 2)}\n`);
  };
  let succeeded = true;
  try {
    print(`# Results\n\n${machineText(machine)}`);
    if (options.quick) print('**A quick run shows that everything runs. Its figures mean nothing.**\n');
    for (const doubt of servers.database.doubts) {
      print(`**Not comparable: ${doubt}, so that a crash loses locks.**\n`);
      say(`The database is not durable: ${doubt}. Its figures are not comparable.`);
    }
    for (const name of options.scenarios) {
      const { play, ...scenario } = await loadScenario(name);
      const tell = (/** @type {string} */ text) => say(`${name}: ${text}`);
      try {
        const outcome = await onStage({ options, servers, say: tell }, play);
        print(outcomeText(scenario, outcome));
        scenarios[name] = {
          title: scenario.title,
          systems: outcome.systems,
          measurements: outcome.measurements,
        };
        await save();
        for (const { system } of outcome.measurements.filter(isHeldByTooMany))
          tell(`${system}: a lock was held by too many at a time`);
        succeeded &&= !outcome.measurements.some((one) => one.failed || isHeldByTooMany(one));
      } catch (error) {
        tell(`failed: ${/** @type {Error} */ (error).stack}`);
        succeeded = false;
      }
    }
  } finally {
    await servers.stop();
  }
  print(`## Systems\n\n${settingsText(Object.values(scenarios).flatMap(({ systems }) => systems))}`);
  const judged = goals();
  if (judged.length > 0) print(`## Goals\n\n${tableOf(GOAL_COLUMNS, judged)}`);
  return succeeded;
}

/** @param {import('./contest/rounds.js').Measurement} measurement */
const isHeldByTooMany = ({ figures }) => figures.overlaps > 0;

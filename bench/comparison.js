import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { BuiltRevision } from './comparison/revision.js';
import { EARLIER, NOW, verdictColumns, verdictsOf } from './comparison/verdict.js';
import { Contender } from './contest/contender.js';
import { findingsOf } from './contest/figures.js';
import { inRounds, told } from './contest/rounds.js';
import { onStage } from './contest/stage.js';
import { describeMachine, machineText } from './machine.js';
import { tableOf } from './report/table.js';
import { startServers } from './servers/servers.js';
import { loadSystem } from './systems.js';

const SYSTEM = 'lock-client';

/** As many as callers can take without coming back to one soon. */
const NAMES = 100_000;

/**
 * Says whether the library of this working tree costs more than that of an earlier revision: LockClient of both takes and
 * releases locks on one database, in turn, each time in a new process and in tables of its own.
 *
 * @param {import('./options.js').Options & { against: import('./options.js').Revision }} options
 * @param {(text: string) => void} say
 * @returns {Promise<boolean>} whether it costs no more
 */
export async function compareWith(options, say) {
  await loadSystem(SYSTEM); // Before the servers start: see startPostgres().
  const revision = BuiltRevision.build(options.against.commit, say);
  try {
    return await report(revision, options, say);
  } finally {
    revision.remove();
  }
}

/**
 * @param {BuiltRevision} revision
 * @param {import('./options.js').Options & { against: import('./options.js').Revision }} options
 * @param {(text: string) => void} say
 */
async function report(revision, options, say) {
  const { name, commit } = options.against;
  const servers = await startServers(options);
  try {
    const measurements = await onStage(
      // Redis does nothing here.
      { options, servers: { ...servers, cpu: servers.database.cpu }, say },
      (stage) => measure(stage, revision),
    );
    const machine = describeMachine(servers);
    if (options.json)
      await writeFile(options.json, `${JSON.stringify({ machine, options, measurements }, null, 2)}\n`);
    process.stdout.write(`# Compared with ${name} (${commit.slice(0, 12)})\n\n${machineText(machine)}\n`);
    if (options.quick) process.stdout.write('**A quick run. Its figures mean nothing.**\n');
    const verdicts = conditionsOf(options).flatMap((condition) => {
      const found = verdictsOf(measurements, condition);
      process.stdout.write(`\n## ${told(condition)}\n\n${tableOf(verdictColumns(name), found)}`);
      return found;
    });
    return !verdicts.some(({ isWorse }) => isWorse) && !measurements.some(hasFailed);
  } finally {
    await servers.stop();
  }
}

/**
 * @param {import('./contest/stage.js').Stage} stage
 * @param {BuiltRevision} revision
 */
async function measure(stage, { workspace }) {
  const contenders = await Contender.choose(stage, [
    { system: SYSTEM, key: EARLIER, workspace: pathToFileURL(`${workspace}/`) },
    { system: SYSTEM, key: NOW },
  ]);
  let tables = 0;
  const { warmUp } = stage.options;
  return inRounds(
    stage,
    contenders,
    conditionsOf(stage.options),
    async (contender, { callers }, seconds) => {
      const feature = `compared${++tables}`;
      const names = { prefix: 'compared:', count: NAMES, order: /** @type {const} */ ('in turn') };
      await contender.enter({ feature });
      try {
        await contender.work('cycles', { callers, seconds: warmUp, names });
        return await findingsOf(contender, 'cycles', { callers, seconds, names });
      } finally {
        await contender.leave();
      }
    },
    { warmUp: false },
  );
}

/** @param {import('./options.js').Options} options */
const conditionsOf = ({ callers }) => callers.map((number) => ({ callers: number }));

/** @param {import('./contest/rounds.js').Measurement} measurement */
const hasFailed = ({ failed, errorCount }) => failed || errorCount > 0;

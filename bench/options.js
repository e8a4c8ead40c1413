import { CommandLine } from './command-line.js';
import { commitOf } from './comparison/revision.js';
import { DATABASES } from './databases.js';
import { SCENARIOS, scenariosOn } from './scenarios.js';
import { SYSTEMS } from './systems.js';

const USAGE = `npm run bench -- [options]

  --quick            one short round of everything, to see that it runs: two or three minutes
  --database NAME    where LockClient keeps its locks: ${DATABASES.join(', ')} (postgres). The scenarios of all three are
                     ${scenariosOn('sqlite').join(', ')}
  --scenario A,B,…   only these of ${SCENARIOS.join(', ')}
  --systems A,B,…    only these of the files in bench/systems/
  --rounds N         measurements of each system under each condition (5)
  --seconds N        length of one measurement (3)
  --warm-up N        seconds before the first round, likewise (1)
  --callers A,B,…    of the scenario uncontended (1,8,64,256)
  --rows N           of the larger table of the scenario growth (5000000)
  --minutes N        length of the scenario churn (2)
  --against REVISION instead of scenarios: does LockClient cost more than it did at that commit? With 256 callers,
                     unless --callers says otherwise. Exit code 1 when it costs more than 1.05 of it
  --sqlite-driver A  a package, a folder that has one, or node (better-sqlite3 where it is installed, else libsql)
  --json FILE        writes the machine and every measurement there
  --help

TEST_DATABASE_URL names a PostgreSQL to use, MYSQL_URL a MySQL or MariaDB, with room for 700 connections; without them, one
is started. Two Redis servers are started in any case. What was not built since it changed is built first.
`;

/** What only scenarios have. */
const OF_SCENARIOS = /** @type {const} */ (['scenario', 'systems', 'rows', 'minutes']);

/** Where batches are large, and both sides busy. */
const CALLERS_COMPARED = [256];

/** A commit, as it was called on the command line. @typedef {{ name: string, commit: string }} Revision */

/**
 * @typedef {object} Options
 * @property {import('./databases.js').DatabaseKind} database
 * @property {string} [sqliteDriver]
 * @property {string[]} scenarios
 * @property {string[]} systems - none: all of them
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUp - in seconds
 * @property {number[]} callers
 * @property {number} rows
 * @property {number} minutes
 * @property {Revision} [against] - what to compare with, instead of playing scenarios
 * @property {string} [json]
 * @property {boolean} quick - what is found means nothing
 */

/** @returns {Options} */
export function readOptions() {
  const line = new CommandLine(
    USAGE,
    {
      database: 'postgres',
      'sqlite-driver': undefined,
      scenario: undefined,
      systems: undefined,
      rounds: '5',
      seconds: '3',
      'warm-up': '1',
      callers: '1,8,64,256',
      rows: '5000000',
      minutes: '2',
      against: undefined,
      json: undefined,
    },
    { rounds: '1', seconds: '0.3', 'warm-up': '0.1', rows: '200000', minutes: '0.1' },
  );
  const against = againstOf(line);
  const database = databaseOf(line);
  return {
    database,
    sqliteDriver: line.text('sqlite-driver'),
    scenarios: scenariosOf(line, database),
    systems: line.choice('systems', SYSTEMS),
    rounds: line.whole('rounds'),
    seconds: line.positive('seconds'),
    warmUp: line.positive('warm-up'),
    callers: against && !line.gives('callers') ? CALLERS_COMPARED : line.wholes('callers'),
    rows: line.whole('rows'),
    minutes: line.positive('minutes'),
    against,
    json: line.text('json'),
    quick: line.isQuick,
  };
}

/**
 * @param {CommandLine<'against' | typeof OF_SCENARIOS[number]>} line
 * @returns {Revision | undefined}
 */
function againstOf(line) {
  const name = line.text('against');
  if (name === undefined) return undefined;
  const useless = OF_SCENARIOS.find((option) => line.gives(option));
  if (useless) line.refuse(`--${useless} is for scenarios: --against plays none.`);
  const commit = commitOf(name);
  return commit
    ? { name, commit }
    : line.refuse(`--against ${JSON.stringify(name)} is no commit of this repository.`);
}

/** @param {CommandLine<'database' | 'sqlite-driver'>} line */
function databaseOf(line) {
  const name = line.text('database');
  const database = DATABASES.find((one) => one === name);
  if (!database) return line.refuse(`--database ${JSON.stringify(name)} is none of ${DATABASES.join(', ')}.`);
  if (database !== 'sqlite' && line.gives('sqlite-driver'))
    line.refuse('--sqlite-driver is for --database sqlite.');
  return database;
}

/** By default, all that there are. @param {CommandLine<'scenario'>} line @param {Options['database']} database */
function scenariosOf(line, database) {
  const possible = scenariosOn(database);
  if (!line.gives('scenario')) return possible;
  const chosen = line.choice('scenario', SCENARIOS);
  const impossible = chosen.find((scenario) => !possible.includes(scenario));
  if (impossible !== undefined)
    line.refuse(
      `--scenario ${impossible} is about PostgreSQL: --database ${database} has ${possible.join(', ')}.`,
    );
  return chosen;
}

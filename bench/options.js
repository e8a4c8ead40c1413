import { CommandLine } from './command-line.js';
import { SCENARIOS } from './scenarios.js';
import { SYSTEMS } from './systems.js';

const USAGE = `npm run bench -- [options]

  --quick            one short round of everything, to see that it runs: two or three minutes
  --scenario A,B,…   only these of ${SCENARIOS.join(', ')}
  --systems A,B,…    only these of the files in bench/systems/
  --rounds N         measurements of each system under each condition (5)
  --seconds N        length of one measurement (3)
  --warm-up N        seconds before the first round, likewise (1)
  --callers A,B,…    of the scenario uncontended (1,8,64,256)
  --rows N           of the larger table of the scenario growth (5000000)
  --minutes N        length of the scenario churn (2)
  --json FILE        writes the machine and every measurement there
  --help

TEST_DATABASE_URL names a PostgreSQL to use, with room for 700 connections; without it, one is started. Two Redis
servers are started in any case. What was not built since it changed is built first.
`;

/**
 * @typedef {object} Options
 * @property {string[]} scenarios
 * @property {string[]} systems - none: all of them
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUp - in seconds
 * @property {number[]} callers
 * @property {number} rows
 * @property {number} minutes
 * @property {string} [json]
 * @property {boolean} quick - what is found means nothing
 */

/** @returns {Options} */
export function readOptions() {
  const line = new CommandLine(
    USAGE,
    {
      scenario: SCENARIOS.join(),
      systems: undefined,
      rounds: '5',
      seconds: '3',
      'warm-up': '1',
      callers: '1,8,64,256',
      rows: '5000000',
      minutes: '2',
      json: undefined,
    },
    { rounds: '1', seconds: '0.3', 'warm-up': '0.1', rows: '200000', minutes: '0.1' },
  );
  return {
    scenarios: line.choice('scenario', SCENARIOS),
    systems: line.choice('systems', SYSTEMS),
    rounds: line.whole('rounds'),
    seconds: line.positive('seconds'),
    warmUp: line.positive('warm-up'),
    callers: line.wholes('callers'),
    rows: line.whole('rows'),
    minutes: line.positive('minutes'),
    json: line.text('json'),
    quick: line.isQuick,
  };
}

import { CommandLine } from '../command-line.js';
import { SYSTEMS } from './systems.js';

const USAGE = `npm run bench:waiting -- [options]

  --seconds N         length of one measurement (3)
  --rounds N          measurements of each system, number of waiters and of processes (3)
  --waiters A,B,…     numbers of waiters (16,256)
  --processes A,B,…   numbers of processes that share the waiters (1,4)
  --hold N            ms that the lock is held (1)
  --pause N           ms from the answer to a release until the same waiter asks again (0)
  --warm-up N         seconds before each measurement, likewise (1)
  --systems A,B,…     only these of ${SYSTEMS.join(', ')}
  --json FILE         writes every measurement there
  --help

TEST_DATABASE_URL names a PostgreSQL to use, with sessions for each waiter; without it, one is started. A Redis is
started in any case. Build the library first.
`;

/**
 * @typedef {object} Options
 * @property {number} seconds
 * @property {number} rounds
 * @property {number[]} waiters
 * @property {number[]} processes
 * @property {number} hold - in ms
 * @property {number} pause - likewise
 * @property {number} warmUp - in seconds
 * @property {string[]} systems
 * @property {string} [json]
 */

/** @returns {Options} */
export function readOptions() {
  const line = new CommandLine(USAGE, {
    seconds: '3',
    rounds: '3',
    waiters: '16,256',
    processes: '1,4',
    hold: '1',
    pause: '0',
    'warm-up': '1',
    systems: SYSTEMS.join(),
    json: undefined,
  });
  const systems = line.list('systems');
  const unknown = systems.find((name) => !SYSTEMS.includes(name));
  if (unknown !== undefined) line.refuse(`${JSON.stringify(unknown)} is none of the systems.`);
  return {
    seconds: line.positive('seconds'),
    rounds: line.positive('rounds'),
    waiters: line.positives('waiters'),
    processes: line.positives('processes'),
    hold: line.positive('hold'),
    pause: line.atLeastZero('pause'),
    warmUp: line.positive('warm-up'),
    systems,
    json: line.text('json'),
  };
}

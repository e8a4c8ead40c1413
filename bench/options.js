import { CommandLine } from './command-line.js';

const USAGE = `npm run bench -- [options]

  --seconds N       length of one measurement (3)
  --rounds N        measurements of each system and number of callers (5)
  --callers A,B,…   numbers of concurrent callers (1,8,64,256)
  --warm-up N       seconds before the first round, likewise (1)
  --json FILE       writes every measurement there
  --help

TEST_DATABASE_URL names a PostgreSQL to use; without it, one is started. Build the library first.
`;

/** @returns {{ seconds: number, rounds: number, callers: number[], warmUp: number, json?: string }} */
export function readOptions() {
  const line = new CommandLine(USAGE, {
    seconds: '3',
    rounds: '5',
    callers: '1,8,64,256',
    'warm-up': '1',
    json: undefined,
  });
  return {
    seconds: line.positive('seconds'),
    rounds: line.positive('rounds'),
    callers: line.positives('callers'),
    warmUp: line.positive('warm-up'),
    json: line.text('json'),
  };
}

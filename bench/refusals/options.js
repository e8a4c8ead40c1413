import { CommandLine } from '../command-line.js';

const USAGE = `npm run bench:refusals -- [options]

  --seconds N       length of one measurement (3)
  --rounds N        measurements of each system (5)
  --callers N       concurrent callers (256)
  --refused N       percent of the attempts that ask for a lock which is held (95)
  --held N          locks that are held all the time (100)
  --json FILE       writes every measurement there
  --help

TEST_DATABASE_URL names a PostgreSQL to use; without it, one is started. A Redis is started in any case. Build the
library first.
`;

/** @returns {{ seconds: number, rounds: number, callers: number, refused: number, held: number, json?: string }} */
export function readOptions() {
  const line = new CommandLine(USAGE, {
    seconds: '3',
    rounds: '5',
    callers: '256',
    refused: '95',
    held: '100',
    json: undefined,
  });
  return {
    seconds: line.positive('seconds'),
    rounds: line.positive('rounds'),
    callers: line.positive('callers'),
    refused: line.positive('refused'),
    held: line.positive('held'),
    json: line.text('json'),
  };
}

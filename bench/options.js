import { parseArgs } from 'node:util';

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
  const values = readArguments();
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit();
  }
  return {
    seconds: positive(values.seconds),
    rounds: positive(values.rounds),
    callers: values.callers.split(',').map(positive),
    warmUp: positive(values['warm-up']),
    json: values.json,
  };
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seconds: { type: 'string', default: '3' },
        rounds: { type: 'string', default: '5' },
        callers: { type: 'string', default: '1,8,64,256' },
        'warm-up': { type: 'string', default: '1' },
        json: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    return refuse(/** @type {Error} */ (error).message);
  }
}

/** @param {string} text */
function positive(text) {
  const number = Number(text);
  return number > 0 ? number : refuse(`${JSON.stringify(text)} is not a number above 0.`);
}

/** @param {string} why @returns {never} */
function refuse(why) {
  process.stderr.write(`${why}\n\n${USAGE}`);
  process.exit(1);
}

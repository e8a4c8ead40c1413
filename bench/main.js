import { buildWhatIsStale } from './library-build.js';
import { readOptions } from './options.js';

const options = readOptions();
const say = (/** @type {string} */ text) => process.stderr.write(`${text}\n`);
buildWhatIsStale(say);

// They need what has been built.
const { against } = options;
const succeeded = against
  ? await (await import('./comparison.js')).compareWith({ ...options, against }, say)
  : await (await import('./benchmark.js')).runBenchmark(options, say);
process.exitCode = succeeded ? 0 : 1;

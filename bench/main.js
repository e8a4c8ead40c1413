import { buildWhatIsStale } from './library-build.js';
import { readOptions } from './options.js';

const options = readOptions();
const say = (/** @type {string} */ text) => process.stderr.write(`${text}\n`);
buildWhatIsStale(say);

const { runBenchmark } = await import('./benchmark.js'); // It needs what has been built.
const succeeded = await runBenchmark(options, say);
process.exitCode = succeeded ? 0 : 1;

import { Worker } from 'jest-worker';
import { fileURLToPath } from 'node:url';

const SUITE_PROCESS = fileURLToPath(new URL('suite-process.js', import.meta.url));

/**
 * For processes that live a few minutes at most: what they run is optimized later or, where it is WebAssembly, not at all, as that
 * took a fifth of their time and did not pay. And there is room, in megabytes, for young objects to die before they are moved.
 */
const V8_OPTIONS = [
  '--interrupt-budget=1200000',
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
  '--liftoff-only',
  '--wasm-lazy-compilation',
];

/** Two processes can't have one debugger. */
const isNoDebugger = (option) => !/^--(inspect|debug)/.test(option);

/**
 * Runs the suites in a few processes, in each one after the other. Jest's own runner makes a copy of Node's globals for each
 * suite, and loads all modules anew there, which takes longer than most suites. What jest-light-runner itself does in
 * several processes may wait for ever when they start at once.
 */
export default class SuiteRunner {
  constructor(globalConfig) {
    this.globalConfig = globalConfig;
  }

  async runTests(tests, watcher, onStart, onResult, onFailure) {
    const { globalConfig } = this;
    const processes = new Worker(SUITE_PROCESS, {
      exposedMethods: ['run'],
      numWorkers: globalConfig.maxWorkers,
      maxRetries: 0,
      forkOptions: { execArgv: [...process.execArgv.filter(isNoDebugger), ...V8_OPTIONS] },
    });
    processes.getStdout()?.pipe(process.stdout);
    processes.getStderr()?.pipe(process.stderr);
    const waiting = tests.values();
    const runOneAfterTheOther = async () => {
      for (const test of waiting) {
        if (watcher.isInterrupted()) return;
        await onStart(test);
        try {
          const projectConfig = test.context.config;
          await onResult(test, await processes.run(test.path, globalConfig, projectConfig));
        } catch (error) {
          await onFailure(test, error);
        }
      }
    };
    await Promise.all(Array.from({ length: globalConfig.maxWorkers }, runOneAfterTheOther));
    await processes.end();
  }
}

const LIGHT_RUNNER = new URL('worker-runner.js', import.meta.resolve('jest-light-runner')).href;

/** Runs a suite. Called by runner.js, in another process. */
export async function run(path, globalConfig, projectConfig) {
  const { default: runSuite, setWorkerData } = await import(LIGHT_RUNNER);
  setWorkerData({ globalConfig, projectConfig, runtime: 'child_process' });
  return runSuite(path);
}

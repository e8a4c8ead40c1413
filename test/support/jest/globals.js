import { jestExpect } from '@jest/expect';
import { ModernFakeTimers } from '@jest/fake-timers';
import * as circus from 'jest-circus';
import { ModuleMocker } from 'jest-mock';

/**
 * `@jest/globals` for suites that run in Node itself instead of a copy of its globals: see CONTRIBUTING.md. All of it is jest's.
 */
export const { afterAll, afterEach, beforeAll, beforeEach, describe, it } = circus;
export const expect = jestExpect;

const mocker = new ModuleMocker(globalThis);
const timers = new ModernFakeTimers({ config: { fakeTimers: {} }, global: globalThis });

export const jest = {
  fn: (implementation) => mocker.fn(implementation),
  spyOn: (object, method) => mocker.spyOn(object, method),
  restoreAllMocks: () => mocker.restoreAllMocks(),
  useFakeTimers: (config) => timers.useFakeTimers(config),
  useRealTimers: () => timers.useRealTimers(),
  setSystemTime: (now) => timers.setSystemTime(now),
  advanceTimersByTime: (milliseconds) => timers.advanceTimersByTime(milliseconds),
  advanceTimersByTimeAsync: (milliseconds) => timers.advanceTimersByTimeAsync(milliseconds),
  getTimerCount: () => timers.getTimerCount(),
};

/** Milliseconds that a step may take: longer than what the tests wait for, each by its name, on the slowest machine. */
const PATIENCE = 180_000;

/** Not those that a test may have faked. */
const { setTimeout, clearTimeout, setImmediate } = globalThis;

/** What nobody has handled so far, by its promise: it would end the process, and the suites to come with it. */
const unhandled = new Map();
process.on('unhandledRejection', (error, promise) => unhandled.set(promise, error));
process.on('rejectionHandled', (promise) => unhandled.delete(promise));
process.on('uncaughtException', (error) => unhandled.set(error, error));

/**
 * What the runner leaves to us: that a test or a hook ends in time, that it fails by an error that nobody handles while it runs,
 * and that a test fails that ought to.
 */
circus.addEventHandler(({ name }, { currentDescribeBlock: { hooks, children } }) => {
  if (name === 'add_hook') limit(hooks.at(-1));
  if (name === 'add_test') limit(children.at(-1));
});

function limit(step) {
  const { fn, timeout = PATIENCE, failing = false } = step;
  const inTime = () => endsWithin(timeout, fn);
  step.fn = failing ? () => fails(inTime) : inTime;
}

async function endsWithin(milliseconds, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It took longer than ${milliseconds} ms.`)), milliseconds);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
  await new Promise(setImmediate); // Node tells only then what was handled late.
  const [error] = unhandled.values();
  unhandled.clear();
  if (error !== undefined) throw error;
}

async function fails(work) {
  const passed = await work().then(
    () => true,
    () => false,
  );
  if (passed) throw new Error('It passes, though it is marked as failing.');
}

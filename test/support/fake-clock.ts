import { jest } from '@jest/globals';

type Api = 'Date' | 'setInterval' | 'clearInterval' | 'setTimeout' | 'clearTimeout';

/** All that jest would take over, so far as these tests run into it. */
const TAKEN_OVER = [
  'Date',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;

/** Takes over these only; everything else goes on by itself. */
export function fakeOnly(faked: readonly Api[], { now }: { now?: number } = {}): void {
  jest.useFakeTimers({
    ...(now !== undefined && { now }),
    doNotFake: TAKEN_OVER.filter((api) => !faked.some((one) => one === api)),
  });
}

/** Makes minutes pass for what looks at the time by itself; everything else goes on. */
export const fakeIntervals = () => fakeOnly(['setInterval', 'clearInterval']);

import Sequencer from '@jest/test-sequencer';

/** Where the suites are that compute for long, though their files are short. */
const COMPUTE = ['test/browser/', 'test/faults/', 'test/standalone/', 'test/safety/', 'test/readme/'];

/** Where those are that take long because they wait: for leases that run out, turns that come, and signs of life. */
const WAIT = [
  'test/conformance/',
  'test/waiting/',
  'test/admin/changes',
  'test/admin/history',
  'change-feed',
];

/**
 * Jest knows how long a suite takes only when it has run before, and goes by the size of its file until then. Those that are known
 * to take long begin early here, who waits between those who compute: neither is the processor idle at the end, nor is one left alone.
 */
export default class LongFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.every(({ duration }) => duration !== undefined)) return sorted;
    const isIn = (folders) => (test) => folders.some((folder) => test.path.includes(folder));
    const waiting = sorted.filter(isIn(WAIT));
    const computing = sorted.filter(isIn(COMPUTE));
    const others = sorted.filter((test) => !isIn([...WAIT, ...COMPUTE])(test));
    return [...inTurns(computing, waiting), ...others];
  }
}

/** All of both, spread evenly. */
function inTurns(many, few) {
  const placed = [many, few].flatMap((tests) =>
    tests.map((test, index) => ({ test, place: (index + 0.5) / tests.length })),
  );
  return placed.sort((a, b) => a.place - b.place).map(({ test }) => test);
}

import Sequencer from '@jest/test-sequencer';

/** Where the suites are that take the longest, though their files are short. */
const LONG = [
  'test/browser/',
  'test/faults/',
  'test/standalone/',
  'test/safety/',
  'test/readme/',
  '/pglite/',
];

/**
 * Jest knows how long a suite takes only when it has run before, and goes by the size of its file until then. Those that are known
 * to take long come early here, each beside another one, which rather waits than computes: none is left alone at the end.
 */
export default class LongFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const isLong = ({ path, duration }) =>
      duration === undefined && LONG.some((folder) => path.includes(folder));
    const others = sorted.filter((test) => !isLong(test));
    const pairs = sorted.filter(isLong).map((test, index) => [test, others[index]]);
    return [...new Set([...pairs.flat(), ...others])].filter((test) => test !== undefined);
  }
}

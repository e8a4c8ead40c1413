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
 * Begins with the suites that take long, so that none of them is left alone at the end: jest knows how long a suite takes only
 * when it has run before, and goes by the size of its file until then.
 */
export default class LongFirst extends Sequencer {
  sort(tests) {
    const isLong = ({ path, duration }) =>
      duration === undefined && LONG.some((folder) => path.includes(folder));
    const sorted = super.sort(tests);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
}

import { describe, expect, it } from '@jest/globals';

/** The benchmark is JavaScript, without types. */
const VERDICT = '../../bench/comparison/verdict.js';
const TABLE = '../../bench/report/table.js';

interface Verdict {
  what: string;
  earlier: string;
  now: string;
  ratio: { median: number; least: number; most: number };
  isWorse: boolean;
}

interface VerdictModule {
  verdictsOf: (measurements: object[], condition: object) => Verdict[];
  verdictColumns: (revision: string) => unknown;
}
type TableOf = (columns: unknown, verdicts: Verdict[]) => string;

const { verdictsOf, verdictColumns } = (await import(VERDICT)) as VerdictModule;
const { tableOf } = (await import(TABLE)) as { tableOf: TableOf };

const CONDITION = { callers: 256 };

/** Of both sides, a round each: cycles/s, and µs of CPU a cycle. */
function measured(
  system: 'earlier' | 'now',
  ...rounds: Array<[rate: number, node: number, database: number]>
) {
  return rounds.map(([perSecond, nodeCpu, serverCpu], round) => ({
    system,
    round,
    condition: CONDITION,
    figures: { perSecond, nodeCpu, serverCpu },
  }));
}

const isWorse = (now: [number, number, number]) =>
  verdictsOf([...measured('earlier', [10_000, 40, 30]), ...measured('now', now)], CONDITION).map(
    (verdict) => verdict.isWorse,
  );

describe('A comparison with an earlier revision', () => {
  it.each([
    ['nothing has changed', [10_000, 40, 30], [false, false, false]],
    ['all has become better', [20_000, 20, 15], [false, false, false]],
    ['all is within the noise', [9_600, 41.9, 31.4], [false, false, false]],
    ['it does less a second', [9_400, 40, 30], [true, false, false]],
    ['the process costs more', [10_000, 42.2, 30], [false, true, false]],
    ['the database costs more', [10_000, 40, 31.6], [false, false, true]],
    ['the database can’t be seen', [10_000, 40, NaN], [false, false, false]],
  ] as Array<[string, [number, number, number], boolean[]]>)('says so when %s', (_, now, expected) => {
    expect(isWorse(now)).toEqual(expected);
  });

  it('goes by the ratios of the rounds, in the order in which they were measured', () => {
    const earlier = measured('earlier', [10_000, 40, 30], [5_000, 80, 60], [10_000, 40, 30]);
    const now = measured('now', [10_000, 40, 30], [5_000, 80, 60], [2_000, 200, 150]);
    const [rate, node] = verdictsOf([...earlier, ...now.toReversed()], CONDITION);
    expect(rate).toMatchObject({
      earlier: '10,000',
      now: '5,000',
      ratio: { median: 1, least: 0.2, most: 1 },
    });
    expect(node).toMatchObject({ earlier: '40.0', now: '80.0', ratio: { median: 1, least: 1, most: 5 } });
    expect([rate!.isWorse, node!.isWorse]).toEqual([false, false]);
  });

  it('is shown as a table', () => {
    const earlier = measured('earlier', [10_000, 40, 30]);
    const shown = (now: object[]) =>
      tableOf(verdictColumns('v1'), verdictsOf([...earlier, ...now], CONDITION));
    expect(shown(earlier.map((one) => ({ ...one, system: 'now' })))).toBe(`\
| median of the rounds        |     v1 | working tree | ratio | verdict  |
| --------------------------- | -----: | -----------: | ----: | -------- |
| cycles/s                    | 10,000 |       10,000 |  1.00 | no worse |
| node, µs of CPU a cycle     |   40.0 |         40.0 |  1.00 | no worse |
| database, µs of CPU a cycle |   30.0 |         30.0 |  1.00 | no worse |
`);
    const costlier = shown(measured('now', [10_000, 60, NaN]));
    expect(costlier).toMatch(/node.*\| +1\.50 \| worse by more than 1\.05 \|/);
    expect(costlier).toMatch(/database.*\| +- \| +- \| no worse +\|/);
  });
});

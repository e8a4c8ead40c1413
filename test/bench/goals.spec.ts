import { describe, expect, it } from '@jest/globals';

/** The benchmark is JavaScript, without types. */
const JUDGEMENT = '../../bench/report/judgement.js';
const LOCK_NAMES = '../../bench/loads/lock-names.js';
const HAND_OFFS = '../../bench/report/hand-offs.js';

interface JudgedGoal {
  what: string;
  against: string;
  numbers: number[];
}
type Judge = (database: string, measurements: Record<string, object[]>) => JudgedGoal[];
type Cell = (goal: JudgedGoal) => string;
type HandOffFigures = (reports: object[][], span: object) => Record<string, number>;
type NamesFor = (names: object, caller: number, callers: number) => () => string;

const { judge, GOAL_COLUMNS } = (await import(JUDGEMENT)) as {
  judge: Judge;
  GOAL_COLUMNS: Array<[heading: string, cell: Cell]>;
};
const { handOffFigures } = (await import(HAND_OFFS)) as { handOffFigures: HandOffFigures };
const { namesFor } = (await import(LOCK_NAMES)) as { namesFor: NamesFor };

/** Of the first round. */
const found = (system: string, condition: object, figures: object) => ({
  system,
  round: 0,
  condition,
  figures,
});

const measured = (system: string, perSecond: number) => found(system, { callers: 256 }, { perSecond });

describe('The goals', () => {
  it('are judged for the database of the run', () => {
    const uncontended = [
      measured('lock-client', 30_000),
      measured('redlock', 10_000),
      measured('verrou-redis', 20_000),
      measured('raw-pg', 2_000),
      measured('raw-mysql', 2_500),
      measured('verrou-mysql', 3_000),
    ];
    const ratios = (database: string) =>
      judge(database, { uncontended }).map(({ against, numbers }) => [against, numbers[0]]);
    expect(ratios('sqlite')).toEqual([['best Redis library as shipped', 1.5]]);
    expect(ratios('mysql')).toEqual([
      ["verrou's Knex store on MySQL", 10],
      ['raw mysql2, pool of 16, one row a statement', 12],
    ]);
    expect(ratios('postgres')).toContainEqual(['raw pg, pool of 16, one statement a request', 15]);
  });

  /** What was reached of the goals of these scenarios, in their order. */
  const reached = (database: string, measurements: Record<string, object[]>) => {
    const cellOf = Object.fromEntries(GOAL_COLUMNS);
    return judge(database, measurements).map((goal) => [goal.what, cellOf.reached!(goal)]);
  };

  describe.each(['postgres', 'sqlite', 'mysql'])('of leases in shared mode, on %s,', (database) => {
    it.each([
      [0.8, 1.15, ['the aim', 'the aim']],
      [0.79, 1.16, ['yes', 'yes']],
      [0.5, 1.3, ['yes', 'yes']],
      [0.49, 1.31, ['no', 'no']],
    ])('go by exclusive cycles: %d of their number, %d of their time', (speed, time, verdicts) => {
      const shared = [
        found('lock-client', { callers: 16 }, { perSecond: 1_000, p50: 9 }),
        found('lock-client-shared', { callers: 16 }, { perSecond: 1_000 * speed, p50: 1 }),
        found('lock-client', { callers: 1 }, { perSecond: 1, p50: 2 }),
        found('lock-client-shared', { callers: 1 }, { perSecond: 9, p50: 2 * time }),
      ];
      expect(reached(database, { shared })).toEqual([
        ['16 readers of one lock, cycles/s', verdicts[0]],
        ['1 reader, p50 of a cycle', verdicts[1]],
      ]);
    });

    it('go by what one reader alone takes, where there are a thousand', () => {
      const readers = { readers: 1_000 };
      const shared = [
        found('reader-alone', readers, { acquireP50: 2, releaseP50: 1 }),
        found('reader-beside-others', readers, { acquireP50: 10, releaseP50: 5.1 }),
        found('readers-at-once', readers, { acquireP50: 10.1, releaseP50: 5 }),
      ];
      expect(reached(database, { shared })).toEqual([
        ['one reader beside 1,000, p50 of acquire', 'yes'],
        ['one reader beside 1,000, p50 of release', 'no'],
        ['1,000 readers at once, each, p50 of acquire', 'no'],
        ['1,000 readers at once, each, p50 of release', 'yes'],
      ]);
    });

    it.each([
      [6_000, 0.95, 0, ['the aim', 'yes', 'yes']],
      [3_000, 1, 0, ['yes', 'yes', 'yes']],
      [2_999, 0.94, 1, ['no', 'no', 'no']],
    ])(
      'go by the better semaphore of redis-semaphore: %d grants/s to its 1,000',
      (grantsPerSecond, fairness, starved, verdicts) => {
        const ours = { grantsPerSecond, fairness, starved };
        const semaphore = [500, 1_000].map((theirs, index) =>
          found(
            ['redis-semaphore-semaphore', 'redis-semaphore-multi-semaphore'][index]!,
            { waiters: 256 },
            { grantsPerSecond: theirs, fairness: 0.1, starved: 99 },
          ),
        );
        semaphore.push(found('lock-client-semaphore', { waiters: 256 }, ours));
        expect(reached(database, { semaphore })).toEqual([
          ['semaphore, 256 waiters, grants/s', verdicts[0]],
          ["semaphore, 256 waiters, Jain's index", verdicts[1]],
          ['semaphore, 256 waiters, starved', verdicts[2]],
        ]);
      },
    );
  });
});

describe('Lock names', () => {
  const namesOf = (count: number) =>
    [0, 1].map((caller) => {
      const next = namesFor({ prefix: 'lock:', count, order: 'in turn' }, caller, 2);
      return [next(), next(), next()];
    });

  it('are shared out among the callers, but for a single one', () => {
    expect(namesOf(4)).toEqual([
      ['lock:0', 'lock:2', 'lock:0'],
      ['lock:1', 'lock:3', 'lock:1'],
    ]);
    expect(namesOf(1)).toEqual([Array(3).fill('lock:'), Array(3).fill('lock:')]);
  });
});

describe('Hand-offs', () => {
  it('from one process to another are told by themselves', () => {
    const own = [
      { waiter: 0, asked: 0, granted: 10, releasing: 11, released: 12 },
      { waiter: 1, asked: 0, granted: 12, releasing: 13, released: 14 },
    ];
    const other = [{ waiter: 0, asked: 0, granted: 24, releasing: 25, released: 26 }];
    const figures = handOffFigures([own, other], { waiters: 3, begin: 0, end: 100 });
    expect(figures).toMatchObject({ handOffP50: 0, betweenP50: 10, overlaps: 0 });
  });

  it('go to whom the last release made room for', () => {
    const held = (waiter: number, granted: number, releasing: number) => ({
      waiter,
      asked: 0,
      granted,
      releasing,
      released: releasing + 1,
    });
    // The first two have room. The third comes after the release of the second, which is the first; the fourth after the other.
    const attempts = [held(0, 0, 50), held(1, 1, 10), held(2, 31, 70), held(3, 52, 60), held(3, 64, 90)];
    const figuresOf = (limit: number, begin = 0) =>
      handOffFigures([attempts], { waiters: 4, limit, begin, end: 100 });
    expect(figuresOf(2)).toMatchObject({ handOffP50: 3, handOffP99: 3, fromCallP50: 4, overlaps: 0 });
    expect(figuresOf(2, 52)).toMatchObject({ handOffP50: 1, retaken: 1 / 2 });
    expect(figuresOf(1).overlaps).toBe(4);
    expect(figuresOf(3).overlaps).toBe(0);
  });
});

import { describe, expect, it } from '@jest/globals';

/** The benchmark is JavaScript, without types. */
const JUDGEMENT = '../../bench/report/judgement.js';
const HAND_OFFS = '../../bench/report/hand-offs.js';

interface JudgedGoal {
  what: string;
  against: string;
  numbers: number[];
}
type Judge = (database: string, measurements: Record<string, object[]>) => JudgedGoal[];
type HandOffFigures = (reports: object[][], span: object) => Record<string, number>;

const { judge } = (await import(JUDGEMENT)) as { judge: Judge };
const { handOffFigures } = (await import(HAND_OFFS)) as { handOffFigures: HandOffFigures };

/** Of 256 callers. */
const measured = (system: string, perSecond: number) => ({
  system,
  round: 0,
  condition: { callers: 256 },
  figures: { perSecond },
});

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
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Histogram } from '../../libs/db-lock/src/history/histogram.js';
import type { Counts, Tally } from '../../libs/db-lock/src/store/history-store.js';
import { AdminScene } from './scene.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const NOTHING: Counts = { acquired: 0, refused: 0, waited: 0, released: 0, lost: 0, expired: 0, forced: 0 };

function tally({
  counts,
  hold = [],
  wait = [],
  contended = [],
}: Partial<Omit<Tally, 'counts'>> & { counts?: Partial<Counts> }): Tally {
  const histogram = (durations: readonly number[]) => {
    const histogram = new Histogram();
    for (const duration of durations) histogram.add(duration);
    return histogram.slots;
  };
  return { counts: { ...NOTHING, ...counts }, hold: histogram(hold), wait: histogram(wait), contended };
}

const sumOf = (points: readonly Counts[]) => {
  const sum = { ...NOTHING };
  for (const point of points)
    for (const counted of Object.keys(sum) as Array<keyof Counts>) sum[counted] += point[counted];
  return sum;
};

describe('what the servers count', () => {
  it('is added up over all of them, with how long locks were held and waited for', async () => {
    await using scene = await AdminScene.open();
    const servers = [await scene.openBeside(), await scene.openBeside()];
    for (const [index, server] of servers.entries()) {
      const name = (what: string) => `${what}:${index}`;
      const held = await server.lease(name('held'));
      await server.acquire(name('held'));
      await server.acquire('wanted by all', { ttl: '1h' });
      await server.acquire('wanted by all');
      const waiting = server.lease(name('held'), { wait: '1m' });
      await server.waitedFor(name('held'));
      await server.release(held);
      await server.release(await waiting);
      const over = await server.lease(name('over'), { ttl: 1 });
      await server.service.expired(name('over'));
      await server.release(over);
      await server.service.leaveExpired(name('late'));
      await server.lease(name('late'));
      await server.forceRelease(name('late'));
    }
    for (const server of servers) await server.service.close();

    const overview = await scene.overview();
    expect(sumOf(overview.series.points)).toEqual({
      acquired: 11, // of each five, and what all wanted
      refused: 5,
      waited: 2,
      released: 4,
      lost: 2,
      expired: 2,
      forced: 2,
    });
    expect(overview.hold.count).toBe(8); // what was released, lost or forced
    expect(overview.wait).toMatchObject({ count: 2, p50: expect.any(Number) });
    expect(overview.wait.p50).toBeGreaterThan(0);
    expect(overview.contended).toEqual([
      { lockName: 'wanted by all', refused: 3, waited: 0, waiting: 0 },
      { lockName: 'held:0', refused: 1, waited: 1, waiting: 0 },
      { lockName: 'held:1', refused: 1, waited: 1, waiting: 0 },
    ]);
    expect(overview.now).toEqual({ held: 1, expired: 2, released: 4, contended: 0, waiting: 0 });
  });
});

describe('the overview', () => {
  let scene: AdminScene;

  beforeAll(async () => {
    scene = await AdminScene.open();
  });
  afterEach(async () => {
    await scene.service.query('TRUNCATE dblock_statistics');
    await scene.clearExpired(); // after an operator's act, nothing is shown that was read before
  });
  afterAll(() => scene.service.close());

  it('is no older than the last act of an operator', async () => {
    expect(sumOf((await scene.overview()).series.points).acquired).toBe(0);
    await scene.past.count(tally({ counts: { acquired: 1 } }));
    await scene.clearExpired();
    expect(sumOf((await scene.overview()).series.points).acquired).toBe(1);
  });

  it('tells of nothing where nothing has happened', async () => {
    const { serverTime, ...overview } = await scene.overview();
    expect(Math.abs(Date.parse(serverTime) - (await scene.now()))).toBeLessThan(10_000);
    const nothing = { count: 0, p50: null, p90: null, p99: null };
    expect(overview).toEqual({
      history: true,
      now: { held: 0, expired: 0, released: 0, contended: 0, waiting: 0 },
      series: {
        step: MINUTE,
        points: Array.from({ length: 60 }, () => ({ time: expect.any(String), ...NOTHING })),
      },
      hold: nothing,
      wait: nothing,
      contended: [],
    });
  });

  it('adds up durations, whichever server has counted them', async () => {
    await scene.past.count(tally({ hold: Array.from({ length: 50 }, () => 100), wait: [5] }));
    await scene.past.count(
      tally({ hold: [...Array.from({ length: 40 }, () => 1_000), ...Array(10).fill(60_000)] }),
    );
    const { hold, wait } = await scene.overview();
    expect(hold.count).toBe(100);
    expect(wait.count).toBe(1);
    for (const [told, real] of [
      [hold.p50, 100],
      [hold.p90, 1_000],
      [hold.p99, 60_000],
      [wait.p50, 5],
    ] as const) {
      expect(told).toBeGreaterThan(real * 0.8);
      expect(told).toBeLessThan(real * 1.2);
    }
  });

  it('names the ten most contended locks, the worst first, with who waits now', async () => {
    const contended = (from: number, to: number, times: number) =>
      Array.from({ length: to - from }, (_, index) => ({
        lockName: `job:${String(from + index).padStart(2, '0')}`,
        refused: times * (from + index),
        waited: times,
      }));
    await scene.past.count(tally({ contended: contended(0, 12, 1) }));
    await scene.past.count(tally({ contended: contended(6, 18, 2) }));
    // Counted by the other, which adds it to the table when it closes: this one counts nothing.
    await using other = await scene.openBeside();
    const held = await other.lease('job:11');
    const waiting = other.lease('job:11', { wait: '1h' });
    await scene.waitedFor('job:11');
    const told = (await scene.overview()).contended;
    expect(told).toHaveLength(10);
    expect(told[0]).toEqual({ lockName: 'job:11', refused: 33, waited: 3, waiting: 1 });
    expect(told.map(({ lockName }) => lockName)).toEqual(
      [11, 17, 16, 10, 15, 9, 14, 13, 8, 12].map((place) => `job:${String(place).padStart(2, '0')}`),
    );
    await other.release(held);
    await other.release(await waiting);
  });

  it.each([
    ['1h', HOUR, MINUTE],
    ['6h', 6 * HOUR, 5 * MINUTE],
    ['24h', 24 * HOUR, 15 * MINUTE],
    ['7d', 7 * 24 * HOUR, 2 * HOUR],
  ])('has a point for each step of the last %s, without gaps', async (range, length, step) => {
    await scene.service.query(
      `INSERT INTO dblock_statistics (period, acquired, hold_times, wait_times, contended)
       SELECT date_trunc('minute', clock_timestamp()) - place * interval '1 minute', 1, '[1]', '[0]', '{"job": [1, 0]}'
       FROM generate_series(0, 8 * 24 * 60) AS place`,
    );
    const { serverTime, series, hold, contended } = await scene.overview(range);
    const times = series.points.map(({ time }) => Date.parse(time));
    expect(series.step).toBe(step);
    expect(times).toHaveLength(length / step);
    expect(times.slice(1).map((time, index) => time - times[index]!)).toEqual(
      Array.from({ length: times.length - 1 }, () => step),
    );
    expect(times.every((time) => time % step === 0)).toBe(true);
    const now = Date.parse(serverTime);
    expect(times.at(-1)! <= now && now < times.at(-1)! + step).toBe(true);
    // The first may have begun before the range, the last has not ended.
    expect(series.points.slice(1, -1).map(({ acquired }) => acquired)).toEqual(
      Array.from({ length: times.length - 2 }, () => step / MINUTE),
    );
    // One minute more when the database's clock passes to the next one meanwhile.
    expect(length / MINUTE - hold.count).toBeGreaterThanOrEqual(0);
    expect(length / MINUTE - hold.count).toBeLessThanOrEqual(1);
    expect(contended[0]!.refused).toBe(hold.count);
  });
});

import { describe, expect, it } from '@jest/globals';
import { Histogram, percentilesOf } from './histogram.js';

const DAY = 24 * 60 * 60 * 1000;

function slotsOf(durations: readonly number[]): number[] {
  const histogram = new Histogram();
  for (const duration of durations) histogram.add(duration);
  return histogram.slots;
}

/** The real one. */
const percentile = (durations: readonly number[], share: number) =>
  durations.toSorted((one, other) => one - other)[Math.ceil(share * durations.length) - 1]!;

describe('Histogram', () => {
  it.each([10, 17, 100, 999, 1_000, 12_345, 60_000, 3_600_000, DAY, 30 * DAY])(
    'tells a duration of %d ms to within a fifth',
    (duration) => {
      const { p50 } = percentilesOf(slotsOf([duration]));
      expect(p50).toBeGreaterThan(duration * 0.8);
      expect(p50).toBeLessThan(duration * 1.2);
    },
  );

  it.each([0, 0.001, 0.1, 1, 2, 5])('tells a short duration of %d ms to within one', (duration) => {
    expect(Math.abs(percentilesOf(slotsOf([duration])).p50! - duration)).toBeLessThan(1);
  });

  it('tells percentiles to within a fifth, however the durations are spread', () => {
    let seed = 7;
    const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    for (const spread of [() => 10 + random() * 90, () => 10 ** (1 + 6 * random()), () => 5_000]) {
      const durations = Array.from({ length: 1_000 }, spread);
      const told = percentilesOf(slotsOf(durations));
      expect(told.count).toBe(1_000);
      for (const [value, share] of [
        [told.p50, 0.5],
        [told.p90, 0.9],
        [told.p99, 0.99],
      ] as const) {
        const real = percentile(durations, share);
        expect(Math.abs(value! - real) / real).toBeLessThan(0.2);
      }
    }
  });

  it('takes what no clock should say', () => {
    expect(percentilesOf(slotsOf([-5, Number.MAX_SAFE_INTEGER, Infinity])).count).toBe(3);
  });

  it('tells nothing of nothing', () => {
    const nothing = { count: 0, p50: null, p90: null, p99: null };
    expect(percentilesOf([])).toEqual(nothing);
    expect(percentilesOf(new Histogram().slots)).toEqual(nothing);
  });

  it('can be added up', () => {
    const [one, other] = [slotsOf([10, 20]), slotsOf([10_000])];
    expect(percentilesOf(one.map((count, slot) => count + other[slot]!))).toMatchObject({ count: 3 });
  });
});

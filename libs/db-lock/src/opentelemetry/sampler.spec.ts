import { describe, expect, it } from '@jest/globals';
import { Sampler } from './sampler.js';

describe('a sampler', () => {
  /** How many of those are picked that come evenly in so many milliseconds. */
  function picked(sampler: Sampler, from: number, milliseconds: number, coming: number): number {
    let count = 0;
    for (let number = 0; number < coming; number++)
      if (sampler.picks(from + (number * milliseconds) / coming)) count++;
    return count;
  }

  it('picks all where not more come', () => {
    const sampler = new Sampler(100);
    for (let second = 0; second < 5; second++) expect(picked(sampler, second * 1_000, 1_000, 100)).toBe(100);
  });

  it('picks as many as it should of a steady rush, evenly', () => {
    const sampler = new Sampler(100);
    picked(sampler, 0, 1_000, 50_000);
    const halves = [1_000, 1_500].map((from) => picked(sampler, from, 500, 25_000));
    for (const half of halves) expect(half).toBe(50);
  });

  it('picks few more of a burst that nobody could foresee', () => {
    expect(picked(new Sampler(100), 0, 1_000, 50_000)).toBeLessThan(1_000);
  });

  it('picks all again when the rush is over', () => {
    const sampler = new Sampler(100);
    picked(sampler, 0, 1_000, 50_000);
    expect(picked(sampler, 10_000, 1_000, 50)).toBe(50);
  });

  it('picks all where no bound is set', () => {
    expect(picked(new Sampler(Infinity), 0, 1_000, 10_000)).toBe(10_000);
  });
});

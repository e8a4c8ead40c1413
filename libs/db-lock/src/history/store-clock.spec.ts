import { expect, it } from '@jest/globals';
import { StoreClock } from './store-clock.js';

const NOON = Date.UTC(2026, 0, 2, 12);

it('knows no time before the first answer', () => {
  expect(new StoreClock().timeOf(5)).toBeNull();
});

it('goes by the answer that was received soonest, and a later one does not set it back', () => {
  const clock = new StoreClock();
  clock.observe(new Date(NOON), 1_030); // 30 ms on its way
  clock.observe(new Date(NOON + 1_000), 2_001); // 1 ms
  clock.observe(new Date(NOON + 2_000), 3_500); // half a second
  expect(clock.timeOf(2_001)).toBe(NOON + 1_000);
  expect(clock.timeOf(5_001)).toBe(NOON + 4_000);
});

it('follows a clock that goes slower', () => {
  const clock = new StoreClock();
  clock.observe(new Date(NOON), 0);
  clock.observe(new Date(NOON + 3_600_000 - 100), 3_600_000);
  expect(clock.timeOf(3_600_000)).toBe(NOON + 3_600_000 - 100);
});

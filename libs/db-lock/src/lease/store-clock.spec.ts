import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { StoreClock } from './store-clock.js';

const NOON = Date.UTC(2026, 0, 2, 12);
const HOUR = 3_600_000;

/** A clock that was noon when ours was 0, as answers tell it. */
function clockAtNoon() {
  const clock = new StoreClock();
  return {
    clock,
    /** Asks at a moment of ours; the clock is read and the answer comes so many milliseconds later. */
    ask: (
      sentAt: number,
      { read = 0, received = 0, off = 0 }: { read?: number; received?: number; off?: number } = {},
    ) => clock.observe(new Date(Math.floor(NOON + sentAt + read + off)), sentAt, sentAt + received),
  };
}

describe('the time of a moment', () => {
  it('is unknown before the first answer', () => {
    expect(new StoreClock().timeOf(5)).toBeNull();
  });

  it('goes by the answer that was received soonest, and a later one does not set it back', () => {
    const { clock, ask } = clockAtNoon();
    ask(1_000, { received: 30 });
    ask(2_000, { received: 1 });
    ask(3_000, { received: 500 });
    expect(clock.timeOf(2_001)).toBeCloseTo(NOON + 2_000, 0);
    expect(clock.timeOf(5_001)).toBeCloseTo(NOON + 5_000, 0);
  });

  it('follows a clock that goes slower', () => {
    const { clock, ask } = clockAtNoon();
    ask(0);
    ask(HOUR, { off: -100 });
    expect(clock.timeOf(HOUR)).toBe(NOON + HOUR - 100);
  });
});

describe('a jump', () => {
  it.each([5_000, -5_000])('of %i ms is told once', (off) => {
    const { ask } = clockAtNoon();
    ask(1_000, { received: 2 });
    expect(Math.abs(ask(2_000, { received: 2, off }) - off)).toBeLessThan(20);
    expect(ask(3_000, { received: 2, off })).toBe(0);
  });

  it('is found when it is greater than the time for which answers travel', () => {
    const { ask } = clockAtNoon();
    ask(1_000, { read: 200, received: 400 });
    expect(ask(2_000, { read: 200, received: 400, off: 1_000 })).toBeGreaterThan(500);
    expect(ask(3_000, { read: 10, received: 400, off: 1_000 })).toBe(0);
  });

  it.each([
    ['an answer that travelled for a second', { read: 0, received: 1_000 }],
    ['a question that travelled for a second', { read: 1_000, received: 1_000 }],
    ['a clock that goes by a hundredth faster', { off: 10 }],
    ['a clock that goes by a hundredth slower', { off: -10 }],
  ])('is not what %s looks like', (_what, answer) => {
    const { ask } = clockAtNoon();
    ask(1_000, { received: 1 });
    expect(ask(2_000, answer)).toBe(0);
  });

  it('is not what any answers of a clock look like that goes at most by a hundredth faster or slower', () => {
    const answer = fc.record({
      pause: fc.integer({ min: 0, max: 20_000 }),
      travels: fc.integer({ min: 0, max: 3_000 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const speed = fc.double({ min: -0.0099, max: 0.0099, noNaN: true });
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 50 }), speed, (answers, faster) => {
        const { ask } = clockAtNoon();
        let now = 0;
        for (const { pause, travels, part } of answers) {
          now += pause;
          const read = travels * part;
          expect(ask(now, { read, received: travels, off: (now + read) * faster })).toBe(0);
          now += travels;
        }
      }),
    );
  });

  it('is what a clock looks like that goes by a twelfth faster, however often it is looked at', () => {
    const { ask } = clockAtNoon();
    const jumps = Array.from({ length: 1_000 }, (_, index) =>
      ask(index * 2, { received: 1, off: (index * 2) / 12 }),
    );
    expect(jumps.filter(Boolean).length).toBeGreaterThan(10);
  });

  it('is not told again by an answer that was asked for before', () => {
    const { ask } = clockAtNoon();
    ask(1_000, { received: 1 });
    expect(ask(1_100, { received: 5, off: 3_000 })).not.toBe(0);
    expect(ask(1_050, { received: 100 })).toBe(0);
    expect(ask(1_200, { received: 5, off: 3_000 })).toBe(0);
  });
});

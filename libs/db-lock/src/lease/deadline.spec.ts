import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { monotonicNow } from './clock.js';
import { Deadline, safetyMargin, trustedUntil } from './deadline.js';

const DAY = 24 * 60 * 60 * 1000;

describe('the trust in a lease', () => {
  it('counts from the moment the request was sent, and ends a margin before the lease', () => {
    expect(trustedUntil(1000, 30_000)).toBe(1000 + 30_000 - 302);
    expect(safetyMargin(30_000)).toBe(302);
    expect(trustedUntil(1000, 1)).toBeLessThan(1000);
  });
});

describe('a deadline', () => {
  let passed: jest.Mock<() => void>;
  let deadline: Deadline;

  beforeEach(() => {
    jest.useFakeTimers();
    passed = jest.fn<() => void>();
    deadline = new Deadline({ lose: passed });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('calls back when it has passed, once', () => {
    deadline.moveTo(monotonicNow() + 100);
    jest.advanceTimersByTime(99);
    expect(passed).not.toHaveBeenCalled();
    expect(deadline.timeLeft).toBeCloseTo(1, 5);
    jest.advanceTimersByTime(2);
    expect(passed).toHaveBeenCalledTimes(1);
    expect(deadline.timeLeft).toBe(0);
    jest.advanceTimersByTime(10_000);
    expect(passed).toHaveBeenCalledTimes(1);
  });

  it('can be moved and cleared', () => {
    deadline.moveTo(monotonicNow() + 100);
    deadline.moveTo(monotonicNow() + 500);
    jest.advanceTimersByTime(499);
    expect(passed).not.toHaveBeenCalled();
    deadline.clear();
    jest.advanceTimersByTime(10_000);
    expect(passed).not.toHaveBeenCalled();
  });

  it('shares its timer with the others that pass at about the same time', () => {
    const deadlines = Array.from({ length: 1000 }, () => new Deadline({ lose: passed }));
    const start = monotonicNow();
    for (const [index, one] of deadlines.entries()) one.moveTo(start + 30_000 + index);
    expect(jest.getTimerCount()).toBeLessThan(5);
    jest.advanceTimersByTime(30_499);
    expect(passed).toHaveBeenCalledTimes(500);
    for (const one of deadlines) one.clear();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(30_000);
    expect(passed).toHaveBeenCalledTimes(500);
  });

  it('calls back in the context in which it was made, though somebody else has begun its round', async () => {
    jest.useRealTimers(); // the mocked ones know no contexts
    const context = new AsyncLocalStorage<string>();
    const at = monotonicNow() + 300;
    const calledBack = ['one', 'two'].map(
      (name) =>
        new Promise((resolve) =>
          context.run(name, () => new Deadline({ lose: () => resolve(context.getStore()) }).moveTo(at)),
        ),
    );
    const end = setTimeout(() => undefined, 60_000); // theirs do not keep the process
    expect(await Promise.all(calledBack)).toEqual(['one', 'two']);
    clearTimeout(end);
  });

  it('calls back though another one throws at the same moment', () => {
    const failing = new Deadline({
      lose() {
        throw new Error('a fault');
      },
    });
    const deadlines = [deadline, failing, new Deadline({ lose: passed })];
    const at = Math.ceil(monotonicNow() / 1024) * 1024 + 8192; // A round is just then.
    for (const one of deadlines) one.moveTo(at);
    expect(jest.getTimerCount()).toBe(1);
    expect(() => jest.advanceTimersByTime(at - monotonicNow() + 1)).toThrow('a fault');
    expect(passed).toHaveBeenCalledTimes(2);
  });

  it('waits for longer than one timer can: a timer over 24.8 days would fire at once', () => {
    deadline.moveTo(monotonicNow() + 30 * DAY);
    jest.advanceTimersByTime(29 * DAY);
    expect(passed).not.toHaveBeenCalled();
    jest.advanceTimersByTime(DAY + 1);
    expect(passed).toHaveBeenCalledTimes(1);
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { KeepAlive } from './keep-alive.js';

const DAY = 24 * 60 * 60 * 1000;

describe('keep-alive', () => {
  let renew: jest.Mock<() => Promise<void>>;

  beforeEach(() => {
    jest.useFakeTimers();
    renew = jest.fn(() => Promise.resolve());
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('renews at each third of the TTL', async () => {
    const keepAlive = new KeepAlive(3000, renew);
    await jest.advanceTimersByTimeAsync(999);
    expect(renew).toHaveBeenCalledTimes(0);
    await jest.advanceTimersByTimeAsync(2);
    expect(renew).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(2000);
    expect(renew).toHaveBeenCalledTimes(3);
    keepAlive.stop();
  });

  it('tries again soon after a failure, and goes on as before after a success', async () => {
    renew.mockRejectedValueOnce(new Error('down')).mockRejectedValueOnce(new Error('down'));
    const keepAlive = new KeepAlive(3000, renew);
    await jest.advanceTimersByTimeAsync(1001 + 2 * 150);
    expect(renew).toHaveBeenCalledTimes(3);
    await jest.advanceTimersByTimeAsync(990);
    expect(renew).toHaveBeenCalledTimes(3);
    await jest.advanceTimersByTimeAsync(20);
    expect(renew).toHaveBeenCalledTimes(4);
    keepAlive.stop();
  });

  it('never renews after it was stopped, not even when a renewal was under way', async () => {
    let answer = () => {};
    renew.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const keepAlive = new KeepAlive(300, renew);
    await jest.advanceTimersByTimeAsync(101);
    keepAlive.stop();
    answer();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it('waits for a long TTL without firing at once', async () => {
    const keepAlive = new KeepAlive(90 * DAY, renew);
    await jest.advanceTimersByTimeAsync(20 * DAY);
    expect(renew).not.toHaveBeenCalled();
    keepAlive.stop();
  });
});

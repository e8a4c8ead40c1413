import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AsyncResource } from 'node:async_hooks';
import { KeepAlive } from './keep-alive.js';

const DAY = 24 * 60 * 60 * 1000;

const scope = new AsyncResource('KeepAliveSpec');

describe('keep-alive', () => {
  let renew: jest.Mock<() => Promise<void>>;

  beforeEach(() => {
    jest.useFakeTimers();
    renew = jest.fn(() => Promise.resolve());
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('renews at each third of the TTL, or a little sooner', async () => {
    const keepAlive = new KeepAlive(3000, renew, scope);
    await jest.advanceTimersByTimeAsync(874);
    expect(renew).toHaveBeenCalledTimes(0);
    await jest.advanceTimersByTimeAsync(127);
    expect(renew).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(2000);
    expect(renew).toHaveBeenCalledTimes(3);
    keepAlive.stop();
  });

  it('renews leases that were taken one after the other at the same moment', async () => {
    const moments = new Set<number>();
    renew.mockImplementation(async () => void moments.add(performance.now()));
    const keepAlives: KeepAlive[] = [];
    await jest.advanceTimersByTimeAsync(2048 - (performance.now() % 1024));
    for (let lease = 0; lease < 100; lease++) {
      keepAlives.push(new KeepAlive(30_000, renew, scope));
      await jest.advanceTimersByTimeAsync(5);
    }
    await jest.advanceTimersByTimeAsync(11_000);
    expect(renew).toHaveBeenCalledTimes(100);
    expect(moments.size).toBeLessThanOrEqual(2);
    for (const keepAlive of keepAlives) keepAlive.stop();
    await jest.advanceTimersByTimeAsync(30_000);
    expect(renew).toHaveBeenCalledTimes(100);
  });

  it('tries again soon after a failure, and goes on as before after a success', async () => {
    renew.mockRejectedValueOnce(new Error('down')).mockRejectedValueOnce(new Error('down'));
    const keepAlive = new KeepAlive(3000, renew, scope);
    await jest.advanceTimersByTimeAsync(1001 + 2 * 150);
    expect(renew).toHaveBeenCalledTimes(3);
    await jest.advanceTimersByTimeAsync(700);
    expect(renew).toHaveBeenCalledTimes(3);
    await jest.advanceTimersByTimeAsync(300);
    expect(renew).toHaveBeenCalledTimes(4);
    keepAlive.stop();
  });

  it('never renews after it was stopped, not even when a renewal was under way', async () => {
    let answer = () => {};
    renew.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const keepAlive = new KeepAlive(300, renew, scope);
    await jest.advanceTimersByTimeAsync(101);
    keepAlive.stop();
    answer();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it('waits for a long TTL without firing at once', async () => {
    const keepAlive = new KeepAlive(90 * DAY, renew, scope);
    await jest.advanceTimersByTimeAsync(20 * DAY);
    expect(renew).not.toHaveBeenCalled();
    keepAlive.stop();
  });
});

import { describe, expect, it } from '@jest/globals';
import { Shortcut } from './shortcut.js';

/** How often it is tried in so many times, when it answers such a share of the requests. */
function triesOf(shortcut: Shortcut, times: number, share: number): number {
  let tries = 0;
  for (let time = 0; time < times; time++)
    if (shortcut.isWorthTrying()) {
      tries++;
      shortcut.tried(10 * share, 10);
    }
  return tries;
}

describe('a shortcut', () => {
  it('is tried at first, and as long as it answers most', () => {
    expect(triesOf(new Shortcut(), 100, 1)).toBe(100);
    expect(triesOf(new Shortcut(), 100, 0.6)).toBe(100);
  });

  it('is passed by when it answers little, and tried again now and then', () => {
    const shortcut = new Shortcut();
    triesOf(shortcut, 10, 0.1);
    expect(triesOf(shortcut, 320, 0.1)).toBe(10);
  });

  it('is not given up for a single failure', () => {
    const shortcut = new Shortcut();
    shortcut.tried(0, 1);
    expect(shortcut.isWorthTrying()).toBe(true);
  });

  it('learns nothing from no request', () => {
    const shortcut = new Shortcut();
    triesOf(shortcut, 100, 0);
    shortcut.tried(0, 0);
    expect(shortcut.isWorthTrying()).toBe(false);
  });

  it('is found worth it again', () => {
    const shortcut = new Shortcut();
    triesOf(shortcut, 100, 0);
    triesOf(shortcut, 200, 1);
    expect(triesOf(shortcut, 100, 1)).toBe(100);
  });
});

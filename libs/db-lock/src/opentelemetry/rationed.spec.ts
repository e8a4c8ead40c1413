import { describe, expect, it } from '@jest/globals';
import { moveClock } from '../lease/clock.js';
import { Rationed } from './rationed.js';

describe('a number that is rationed', () => {
  let asked = 0;

  /** Takes so many milliseconds. */
  const taking = (milliseconds: number) => async () => {
    moveClock(milliseconds);
    return ++asked;
  };

  it('is asked for again only when fifty times as long has passed as the answer took', async () => {
    const rationed = new Rationed();
    const first = await rationed.number(taking(1_000));
    moveClock(40_000);
    expect(await rationed.number(taking(1_000))).toBe(first);
    moveClock(20_000);
    expect(await rationed.number(taking(1_000))).toBe(first + 1);
  });

  it('is asked for again after a failure', async () => {
    const rationed = new Rationed();
    await expect(rationed.number(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(await rationed.number(async () => 7)).toBe(7);
  });
});

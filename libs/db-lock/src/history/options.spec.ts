import { describe, expect, it } from '@jest/globals';
import { checkOptions, type DbLockOptions } from '../module/options.js';

const DAY = 24 * 60 * 60 * 1000;

describe('the options of the history', () => {
  it('have defaults, one by one', () => {
    const defaults = { retention: 7 * DAY, maxRows: 1_000_000, renewals: 60_000 };
    expect(checkOptions({}).history).toEqual(defaults);
    expect(checkOptions({ history: {} }).history).toEqual(defaults);
    expect(checkOptions({ history: { retention: '30d' } }).history).toEqual({
      ...defaults,
      retention: 30 * DAY,
    });
    expect(checkOptions({ history: { maxRows: 1_000, renewals: 0 } }).history).toEqual({
      ...defaults,
      maxRows: 1_000,
      renewals: 0,
    });
  });

  it('can be false', () => {
    expect(checkOptions({ history: false }).history).toBe(false);
  });

  it.each<[unknown, string]>([
    [true, 'history'],
    ['7d', 'history'],
    [{ retention: '59s' }, 'history.retention'],
    [{ retention: '4000d' }, 'history.retention'],
    [{ retention: false }, 'history.retention'],
    [{ maxRows: 999 }, 'history.maxRows'],
    [{ maxRows: 1e9 + 1 }, 'history.maxRows'],
    [{ maxRows: 1000.5 }, 'history.maxRows'],
    [{ maxRows: '5000' }, 'history.maxRows'],
    [{ renewals: -1 }, 'history.renewals'],
    [{ renewals: '2d' }, 'history.renewals'],
    [{ retain: '7d' }, 'history.retain'],
  ])('name the one that is wrong: %j', (history, option) => {
    expect(() => checkOptions({ history } as DbLockOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIGURATION', option }) as unknown as Error,
    );
  });
});

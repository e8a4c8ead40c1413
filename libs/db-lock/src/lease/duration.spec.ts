import { describe, expect, it } from '@jest/globals';
import { MAX_TTL, ttlSchema } from './duration.js';

describe('a duration', () => {
  it.each([
    [1, 1],
    [MAX_TTL, MAX_TTL],
    ['1ms', 1],
    ['30s', 30_000],
    ['1.5s', 1500],
    ['5 m', 300_000],
    ['2h', 7_200_000],
    ['30d', MAX_TTL],
  ])('%p is %p ms', (duration, milliseconds) => {
    expect(ttlSchema.parse(duration)).toBe(milliseconds);
  });

  it.each([
    0,
    -1,
    0.5,
    1.5,
    NaN,
    Infinity,
    MAX_TTL + 1,
    '0s',
    '-1s',
    '30',
    '',
    ' ',
    's',
    '1 year',
    '1e3s',
    '0.5ms',
    '1.0005s',
    '31d',
    '999999999999999999999d',
    '１s',
    null,
    undefined,
    true,
    {},
    [1],
  ])('%p is none', (duration) => {
    expect(ttlSchema.safeParse(duration).error?.issues[0]?.message).toMatch(
      /whole milliseconds from 1 to 2592000000/,
    );
  });
});

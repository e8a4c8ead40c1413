import { describe, expect, it } from '@jest/globals';
import { acceptsGzip, hasAlready } from './preconditions.js';

describe('What a client accepts and has', () => {
  it.each([
    ['gzip', true],
    ['gzip, deflate, br, zstd', true],
    ['br;q=1.0, GZIP;q=0.2', true],
    ['*', true],
    ['br, *;q=0.1', true],
    [undefined, false],
    ['', false],
    ['identity', false],
    ['br, deflate', false],
    ['gzip;q=0', false],
    ['gzip; q=0.000, *', false],
    ['*;q=0', false],
    ['gzipped', false],
    ['gzip;q=x', false],
  ])('Accept-Encoding %j: gzip %s', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected);
  });

  it.each([
    ['W/"abc"', true],
    ['"abc"', true],
    ['"x", W/"abc"', true],
    ['*', true],
    [undefined, false],
    ['', false],
    ['W/"abcd"', false],
    ['abc', false],
  ])('If-None-Match %j: the same %s', (header, expected) => {
    expect(hasAlready(header, 'W/"abc"')).toBe(expected);
  });
});

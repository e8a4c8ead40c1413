import { describe, expect, it } from '@jest/globals';
import { RecentKeys } from './recent-keys.js';

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];

const known = (recent: RecentKeys<string>) => LETTERS.filter((key) => recent.has(key)).join('');

describe('RecentKeys', () => {
  it('remembers at least so many of the last keys, and at most twice as many', () => {
    for (let count = 1; count <= LETTERS.length; count++) {
      const recent = new RecentKeys<string>(5);
      const added = LETTERS.slice(0, count);
      for (const key of added) recent.add(key);
      const remembered = known(recent);
      expect(added.join('').endsWith(remembered)).toBe(true);
      expect(remembered.length).toBeGreaterThanOrEqual(Math.min(5, count));
      expect(remembered.length).toBeLessThan(10);
    }
  });

  it('finds what was added since it was asked last, also when that was known already', () => {
    const recent = new RecentKeys<string>(10);
    for (const key of ['a', 'a', 'b']) {
      recent.add(key);
      expect(recent.has(key)).toBe(true);
      expect(recent.has('c')).toBe(false);
    }
    expect(known(recent)).toBe('ab');
  });
});

import { describe, expect, it } from '@jest/globals';
import { RecentMap } from './recent-map.js';

const filled = (atLeast: number, ...keys: string[]) => {
  const map = new RecentMap<string, string>(atLeast);
  for (const key of keys) map.set(key, `value of ${key}`);
  return map;
};

/** Which of a to z it knows. */
const known = (map: RecentMap<string, string>) =>
  [...'abcdefghijklmnopqrstuvwxyz'].filter((key) => map.has(key)).join('');

describe('RecentMap', () => {
  it('remembers at least so many of the last keys, and at most twice as many', () => {
    for (let count = 1; count <= 26; count++) {
      const keys = [...'abcdefghijklmnopqrstuvwxyz'].slice(0, count);
      const remembered = known(filled(5, ...keys));
      expect(keys.join('').endsWith(remembered)).toBe(true);
      expect(remembered.length).toBeGreaterThanOrEqual(Math.min(5, count));
      expect(remembered.length).toBeLessThan(10);
    }
  });

  it('gives the value that was set last, whatever an older generation holds', () => {
    const map = filled(2, 'a', 'b');
    map.set('a', 'another');
    expect(map.get('a')).toBe('another');
    expect(map.get('b')).toBe('value of b');
    expect(map.get('c')).toBeUndefined();
  });

  it('takes a key for young that is set again', () => {
    expect(known(filled(2, 'a', 'b', 'a', 'c', 'd'))).toBe('acd');
  });

  it('deletes a key from both generations', () => {
    const map = filled(2, 'a', 'b', 'a');
    map.delete('a');
    expect(map.has('a')).toBe(false);
    expect(map.get('a')).toBeUndefined();
    expect(known(map)).toBe('b');
  });
});

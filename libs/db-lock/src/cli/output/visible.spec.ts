import { describe, expect, it } from '@jest/globals';
import { spelt, visible, widthOf } from './visible.js';

describe('text for a terminal', () => {
  it.each(['job', 'a b', 'report:42', '表', 'jöb', "it's", '🔒', '{"a"}'.replaceAll('"', '')])(
    'is shown as it is where it can do no harm: %s',
    (text) => expect(visible(text)).toBe(text),
  );

  it.each([
    ['a\nb', '"a\\nb"'],
    ['\x1b[31m', '"\\u001b[31m"'],
    ['\x9b31m', '"\\u009b31m"'],
    ['\x7f', '"\\u007f"'],
    ['\u202Ea', '"\\u202ea"'],
    ['a\u00A0b', '"a\\u00a0b"'],
    ['a\u2028b', '"a\\u2028b"'],
    ['\u{E0001}', '"\\udb40\\udc01"'],
    [' a', '" a"'],
    ['a ', '"a "'],
    ['', '""'],
    ['a"b', '"a\\"b"'],
    ['a\\nb', '"a\\\\nb"'],
    ['jo\u0308b', '"jo\\u0308b"'],
  ])('is quoted and spelt out where it could: %j', (text, shown) => {
    expect(visible(text)).toBe(shown);
    expect(JSON.parse(shown)).toBe(text);
  });

  it('keeps the meaning of JSON', () => {
    const value = { name: 'a\x9b\u202E\u00A0表🔒' };
    expect(JSON.parse(spelt(JSON.stringify(value)))).toEqual(value);
  });

  it.each([
    ['job', 3],
    ['表', 2],
    ['🔒', 2],
    ['jo\u0308b', 3],
    ['', 0],
  ])('has the width that a terminal gives it: %j', (text, width) => expect(widthOf(text)).toBe(width));
});

import { describe, expect, it } from '@jest/globals';
import { byBytes, perName, quoteTable, quoteText } from './fragments.sql.js';

describe('the order of names', () => {
  it('is that of their bytes, also beyond the first plane', () => {
    const names = [
      '',
      'a',
      'B',
      'ab',
      'ö',
      '\u{e000}',
      '\u{ffff}',
      '😀',
      '\u{10ffff}',
      'a😀',
      'aﬀ',
      '\u{d7ff}',
    ];
    const sorted = names.toSorted(byBytes);
    expect(sorted).toEqual(
      names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
    );
  });
});

describe('what stands in a statement', () => {
  it('is quoted, whatever it is', () => {
    expect(quoteText(String.raw`it's a \ "name"`)).toBe(String.raw`'it''s a \\ "name"'`);
    expect(quoteTable('ops.dblock`_lock')).toBe('`ops`.`dblock``_lock`');
  });

  it('is said once where all requests say the same', () => {
    const [one, other] = [{ lockName: 'a' }, { lockName: 'b' }];
    expect(perName([one, other], () => 1)).toBe('1');
    expect(perName([one, other], ({ lockName }) => quoteText(lockName))).toBe(
      "CASE lock_name WHEN 'a' THEN 'a' WHEN 'b' THEN 'b' END",
    );
  });
});

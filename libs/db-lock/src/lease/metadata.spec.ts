import { describe, expect, it } from '@jest/globals';
import { MAX_METADATA_BYTES, MAX_METADATA_DEPTH, metadataSchema } from './metadata.js';

const ruleOf = (value: unknown) => metadataSchema.safeParse(value).error?.issues[0]?.message;

function nested(levels: number): object {
  return levels === 1 ? {} : { a: nested(levels - 1) };
}

describe('metadata', () => {
  it('is copied as JSON, so that later changes do not reach the lease', () => {
    const given = { list: [1, { two: 2 }], date: new Date(0), gone: undefined };
    const kept = metadataSchema.parse(given);
    (given.list[1] as { two: number }).two = 3;
    expect(kept).toEqual({ list: [1, { two: 2 }], date: '1970-01-01T00:00:00.000Z' });
  });

  it('takes 8 KiB of UTF-8, and not a byte more', () => {
    const text = 'ö'.repeat((MAX_METADATA_BYTES - '{"t":""}'.length) / 2);
    expect(metadataSchema.parse({ t: text })).toEqual({ t: text });
    expect(ruleOf({ t: `${text}x` })).toBe('must be at most 8 KiB of JSON');
  });

  it('takes 32 levels, and none more', () => {
    expect(metadataSchema.parse(nested(MAX_METADATA_DEPTH))).toBeDefined();
    expect(ruleOf(nested(MAX_METADATA_DEPTH + 1))).toMatch(/deeper than 32/);
    expect(ruleOf(JSON.parse(`{"a":${'['.repeat(4000)}${']'.repeat(4000)}}`))).toMatch(/deeper than 32/);
  });

  it('refuses what PostgreSQL can not keep', () => {
    for (const text of ['\0', 'a\0', '\ud800', '\udc00x', '\\\0']) {
      expect(ruleOf({ text })).toMatch(/U\+0000 or lone surrogates/);
      expect(ruleOf({ [text]: 1 })).toMatch(/U\+0000 or lone surrogates/);
    }
    for (const text of ['\\u0000', '\\ud800', '🔒', '\u0001', '\\\\u0000'])
      expect(metadataSchema.parse({ text })).toEqual({ text });
  });

  it('refuses what is no JSON object', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    for (const value of ['x', 1, null, [], cycle, { big: 1n }, { toJSON: () => 'x' }])
      expect(ruleOf(value)).toBe('must be a JSON object');
  });
});

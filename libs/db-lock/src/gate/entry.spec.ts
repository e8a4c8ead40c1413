import { describe, expect, it } from '@jest/globals';
import { readEntry, writeEntry, type Entry } from './entry.js';

const entry: Entry = {
  grantId: '018f3a52-7c1b-4e0e-9d0a-2f1f6a4b8c11',
  token: 1_795_000_000_000_000,
  workerName: 'billing-1:4711',
  lockTime: new Date('2026-11-01T10:00:00.123Z'),
  expireTime: new Date('2026-11-01T10:00:30.123Z'),
};
const claim: Entry = { ...entry, token: 0, lockTime: null, expireTime: null };

describe('an entry of the gate', () => {
  it.each([
    ['a lease', entry],
    ['a claim', claim],
    ['a worker with spaces, line breaks and emoji', { ...entry, workerName: ' a b\n- 1 🔒 ' }],
  ])('is read as it was written: %s', (_, written) => {
    expect(readEntry(writeEntry(written))).toEqual(written);
  });

  const text = writeEntry(entry);

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 1],
    ['an empty text', ''],
    ['another version', text.replace('db-lock/1', 'db-lock/2')],
    ['something before it', ` ${text}`],
    ['no worker', text.slice(0, text.lastIndexOf(' '))],
    ['an empty worker', text.slice(0, text.lastIndexOf(' ') + 1)],
    ['a worker with U+0000', `${text}\0`],
    ['a worker of 256 characters', writeEntry({ ...entry, workerName: 'x'.repeat(256) })],
    ['a token below 0', text.replace(' 1795', ' -1795')],
    ['a token that is no whole number', text.replace(' 1795', ' 1.795')],
    ['a token beyond all numbers', text.replace(' 1795', ' 99999')],
    ['a grantId that is none', text.replace('018f3a52', 'XXXXXXXX')],
    ['a time that is none', text.replace(String(entry.lockTime!.getTime()), '9999999999999999')],
    ['JSON', JSON.stringify(entry)],
  ])('is not read from %s', (_, value) => {
    expect(readEntry(value)).toBeUndefined();
  });
});

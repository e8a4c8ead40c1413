import { expect, it } from '@jest/globals';
import { invalidRequest } from './requests.js';
import { DbLockError, LeaseLostError, LockBusyError } from './errors.js';

it('an error tells what happened, with a code that programs can read', () => {
  const until = new Date('2026-01-02T03:04:05.678Z');
  const busy = new LockBusyError('a "b"', { workerName: 'ann', lockTime: until, expireTime: until }, 5);
  expect(busy).toBeInstanceOf(DbLockError);
  expect(busy.name).toBe('LockBusyError');
  expect(busy.message).toBe('Lock "a \\"b\\"" is held by "ann" until 2026-01-02T03:04:05.678Z.');
  const unknown = new LockBusyError('a', { workerName: null, lockTime: null, expireTime: null }, null);
  expect(unknown.message).toBe('Lock "a" is held by somebody else.');
  expect(new LeaseLostError('a', 'deadline').code).toBe('LEASE_LOST');
});

it('an invalid request names each field and its rule once', () => {
  const { issues, message } = invalidRequest([
    { path: ['ttl'], message: 'must be x' },
    { path: ['ttl'], message: 'must be x' },
    { path: ['metadata', { key: 'a' }], message: 'must be y' },
    { path: [], message: 'unknown', code: 'unrecognized_keys', keys: ['b', 'c'] },
    { message: 'must be z' },
  ]);
  expect(issues).toEqual([
    { field: 'ttl', rule: 'must be x' },
    { field: 'metadata.a', rule: 'must be y' },
    { field: 'b', rule: 'is not a known field' },
    { field: 'c', rule: 'is not a known field' },
    { field: 'body', rule: 'must be z' },
  ]);
  expect(message).toBe(
    'ttl must be x; metadata.a must be y; b is not a known field; c is not a known field; body must be z',
  );
});

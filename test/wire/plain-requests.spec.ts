import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { acquireSchema, arePlainOptions } from '../../libs/db-lock/src/client/acquire-options.js';
import { definedOnly } from '../../libs/db-lock/src/client/basic-lock-client.js';
import { toMilliseconds } from '../../libs/db-lock/src/lease/duration.js';
import { plainly } from '../../libs/db-lock/src/lease/plain.js';
import { bulkRequestSchema } from '../../libs/db-lock/src/server/bulk.schemas.js';
import {
  acquireBody,
  leaseParams,
  lockParams,
  releaseQuery,
  renewBody,
} from '../../libs/db-lock/src/server/schemas.js';
import { AWKWARD_NAMES } from '../support/lock-names.js';
import { holds, MIN_HOLD, TTL, WAIT, type Bounds } from './fuzz.js';

const UUID = randomUUID();

const names = fc.oneof(
  fc.constantFrom(
    ...AWKWARD_NAMES,
    'invoice:42',
    '',
    '.',
    '..',
    '\0',
    '\ud800',
    'x'.repeat(255),
    'x'.repeat(256),
  ),
  fc.string({ unit: 'binary', minLength: 0, maxLength: 300 }),
);

/** At, beside and within the bounds. */
const durations = ({ min, max }: Bounds) =>
  fc.oneof(
    fc.constantFrom(...[min - 1n, min, min + 1n, max - 1n, max, max + 1n].map(Number)),
    fc.integer({ min: Number(min), max: Number(max) }),
    fc.constantFrom(
      -0,
      0.5,
      NaN,
      Infinity,
      '30s',
      '1.1h',
      '0.5ms',
      '2 d',
      '40d',
      '30',
      '1'.repeat(20) + 's',
      '',
      null,
      true,
    ),
  );

const FIELDS: Record<string, fc.Arbitrary<unknown>> = {
  action: fc.constantFrom('acquire', 'renew', 'release', 'ACQUIRE', 'constructor'),
  lockName: names,
  workerName: names,
  grantId: fc.constantFrom(
    UUID,
    UUID.toUpperCase(),
    `{${UUID}}`,
    `${UUID}\n`,
    '0',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
  ),
  ttl: durations(TTL),
  wait: durations(WAIT),
  minHold: durations(MIN_HOLD),
  keepAlive: fc.constantFrom(true, false, 'true', 0),
  signal: fc.constantFrom(AbortSignal.abort(), new AbortController().signal, {}, 'signal'),
  metadata: fc.constantFrom(null, {}, { a: 1 }, 'text'),
  mode: fc.constantFrom('exclusive', 'shared', 'SHARED'),
  limit: fc.constantFrom(1, 5, 1_000_000, 1_000_001, 0, 1.5, '5'),
  permits: fc.constantFrom(1, 5, 1_000_000, 1_000_001, 0, 1.5, '5'),
};

const odd = fc.constantFrom(undefined, null, '', 0, [], {});

/** Objects that have some of the fields, most of them right, sometimes one that nobody knows. */
const requests = (...fields: string[]) => {
  const values = Object.fromEntries(
    fields.map((field) => [
      field,
      fc.oneof({ weight: 8, arbitrary: FIELDS[field]! }, { weight: 1, arbitrary: odd }),
    ]),
  );
  const strays = fc.constantFrom({}, {}, {}, {}, { stray: 1 }, JSON.parse('{"__proto__":1}') as object);
  return fc
    .tuple(fc.record(values, { requiredKeys: [] }), strays)
    .map(
      ([request, stray]) =>
        Object.defineProperties(request, Object.getOwnPropertyDescriptors(stray)) as object,
    );
};

const anything = fc.constantFrom(undefined, null, 'text', 1, [], [1], new Date(), new Map());

describe('the short way of a schema', () => {
  it.each<[string, z.ZodType, string[], object]>([
    [
      'acquireBody',
      acquireBody,
      ['workerName', 'ttl', 'wait', 'grantId', 'metadata', 'mode', 'limit', 'permits'],
      { ttl: 30_000, grantId: UUID, workerName: 'ann' },
    ],
    ['renewBody', renewBody, ['ttl'], { ttl: 1 }],
    ['lockParams', lockParams, ['lockName'], { lockName: 'invoice:42' }],
    ['leaseParams', leaseParams, ['lockName', 'grantId'], { lockName: 'invoice:42', grantId: UUID }],
    ['releaseQuery', releaseQuery, ['minHold'], {}],
    [
      'bulkRequestSchema',
      bulkRequestSchema,
      [
        'action',
        'lockName',
        'workerName',
        'ttl',
        'grantId',
        'metadata',
        'minHold',
        'mode',
        'limit',
        'permits',
      ],
      { action: 'renew', lockName: 'a', grantId: UUID, ttl: 1 },
    ],
  ])('comes to the same as the long one: %s', async (_, schema, fields, usual) => {
    expect(plainly(schema, usual)).toEqual(schema.parse(usual));
    await holds(
      3_000,
      fc.oneof({ weight: 20, arbitrary: requests(...fields) }, { weight: 1, arbitrary: anything }),
      async (value) => {
        const plain = plainly(schema, value);
        if (plain !== undefined) expect(plain).toEqual(schema.parse(value));
      },
    );
  });

  it('takes only options that the schema returns as they are', async () => {
    const defaults = { ttl: 30_000, workerName: 'ann', keepAlive: false, wait: 0, minHold: 0, grantId: UUID };
    const usual = {
      ttl: 1_000,
      wait: '5s',
      keepAlive: true,
      signal: new AbortController().signal,
      minHold: 1,
    };
    expect(arePlainOptions(usual)).toBe(true);
    const { action: _, lockName: __, ...fields } = FIELDS;
    await holds(3_000, requests(...Object.keys(fields)), async (options) => {
      if (!arePlainOptions(options)) return;
      const { metadata, minHold, ttl, wait, ...rest } = options;
      const durations = {
        ttl: toMilliseconds(ttl ?? defaults.ttl),
        wait: toMilliseconds(wait ?? 0),
        minHold: toMilliseconds(minHold ?? 0),
      };
      if (durations.minHold > durations.ttl) return;
      const given = Object.entries(rest).filter(([, value]) => value !== undefined);
      const whole = { ...defaults, ...Object.fromEntries(given), lockName: 'job' };
      const parsed = acquireSchema.parse({ ...whole, ...definedOnly({ ttl, wait, minHold }), metadata });
      expect(parsed).toEqual({ ...whole, ...durations, metadata: null });
    });
  });
});

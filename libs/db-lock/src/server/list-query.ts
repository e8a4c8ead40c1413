import { z } from 'zod';
import { MAX_NAME_LENGTH } from '../lease/names.js';

const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

/** What takes a number takes it also as digits, as a query string has them. */
export const orDigits = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value), schema);

/** A whole number between two bounds, also as digits. */
export const wholeNumber = (min: number, max: number) => {
  const rule = { error: `must be a whole number from ${min} to ${max}` };
  return orDigits(z.int(rule).min(min, rule).max(max, rule));
};

const SEARCH = { error: `must be storable text of at most ${MAX_NAME_LENGTH} characters` };

const storableText = z
  .string(SEARCH)
  .max(MAX_NAME_LENGTH, SEARCH)
  .refine((text) => !text.includes('\0') && text.isWellFormed(), SEARCH);

const filterFields = {
  search: storableText
    .optional()
    .meta({ description: "Part of the lock's or the worker's name, whatever the case" }),
  state: oneOf(['held', 'contended', 'expired', 'released'])
    .optional()
    .meta({ description: 'contended: somebody waits for it' }),
  prefix: storableText.optional().meta({ description: "What the lock's name begins with, exactly" }),
};

/** Which locks are meant. */
export const lockFilterSchema = z.strictObject(filterFields);

/** Which locks to list, in which order. */
export const listQuerySchema = lockFilterSchema.extend({
  sort: oneOf(['lockName', 'workerName', 'lockTime', 'expireTime', 'fencingToken', 'waiting']).default(
    'lockName',
  ),
  order: oneOf(['asc', 'desc']).default('asc'),
  page: wholeNumber(1, 1_000_000).default(1),
  pageSize: wholeNumber(1, 200).default(50),
});

const CURSOR = { error: 'must be what the page before has called next' };

/** Which events to tell of. */
export const historyQuerySchema = z.strictObject({
  limit: wholeNumber(1, 200).default(50),
  before: z
    .string(CURSOR)
    .regex(/^\d{1,18}-\d{1,18}$/, CURSOR)
    .optional(),
});

import { z } from 'zod';
import { MAX_NAME_LENGTH } from '../lease/names.js';

const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

/** A whole number between two bounds, also as digits in a query string. */
export const wholeNumber = (min: number, max: number) => {
  const rule = { error: `must be a whole number from ${min} to ${max}` };
  return z.coerce.number(rule).int(rule).min(min, rule).max(max, rule);
};

const SEARCH = { error: `must be storable text of at most ${MAX_NAME_LENGTH} characters` };

/** Which locks to list, in which order. */
export const listQuerySchema = z.strictObject({
  search: z
    .string(SEARCH)
    .max(MAX_NAME_LENGTH, SEARCH)
    .refine((text) => !text.includes('\0') && text.isWellFormed(), SEARCH)
    .optional(),
  state: oneOf(['held', 'expired', 'released']).optional(),
  sort: oneOf(['lockName', 'workerName', 'lockTime', 'expireTime', 'fencingToken']).default('lockName'),
  order: oneOf(['asc', 'desc']).default('asc'),
  page: wholeNumber(1, 1_000_000).default(1),
  pageSize: wholeNumber(1, 200).default(50),
});

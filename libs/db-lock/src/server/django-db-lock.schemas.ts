import { z } from 'zod';
import { MAX_TTL } from '../lease/duration.js';
import { lockNameSchema, workerNameSchema } from '../lease/names.js';

const MAX_SECONDS = MAX_TTL / 1000;

const SECONDS = { error: `must be a whole number of seconds from 1 to ${MAX_SECONDS}` };

/** Whole seconds; as digits in a query string or a form. */
const timeout = z
  .union(
    [
      z.int(SECONDS).min(1, SECONDS).max(MAX_SECONDS, SECONDS),
      z
        .string(SECONDS)
        .regex(/^\d{1,9}$/, SECONDS)
        .transform(Number),
    ],
    SECONDS,
  )
  .refine((seconds) => seconds >= 1 && seconds <= MAX_SECONDS, SECONDS)
  .meta({ description: `Seconds, 1 to ${MAX_SECONDS}` });

const parameters = { error: 'must be a form or a JSON object' };

export const acquireLockParameters = z.strictObject(
  { lockName: lockNameSchema, workerName: workerNameSchema, timeout },
  parameters,
);

export const releaseLockParameters = z.strictObject(
  { lockName: lockNameSchema, workerName: workerNameSchema },
  parameters,
);

export const getLockInfoParameters = z.strictObject({ lockName: lockNameSchema }, parameters);

/** Nothing at all; a POST without a body has none. */
export const noParameters = z.strictObject({}, parameters);
export const noBody = noParameters.nullish();

export const lockInfoJson = z
  .object({
    pk: z.string(),
    lockName: z.string(),
    workerName: z.string(),
    lockTime: z.iso.datetime(),
    expireTime: z.iso.datetime(),
  })
  .nullable();

const enveloped = <Result extends z.ZodType>(result: Result) =>
  z.object({ success: z.literal(true), result });

export const grantedJson = enveloped(z.boolean());
export const doneJson = enveloped(z.literal(true));
export const lockInfoEnvelopeJson = enveloped(lockInfoJson);

/** A failure never carries a `result`. */
export const failureJson = z.object({
  success: z.literal(false),
  error: z.object({ code: z.string(), message: z.string() }),
});

import { z } from 'zod';
import { isPlainMinHold, isPlainTtl, minHoldSchema, toMilliseconds } from '../lease/duration.js';
import { isPlainLockName, lockNameSchema } from '../lease/names.js';
import { orAbsent, plainObject, withPlain, type Check } from '../lease/plain.js';
import { MODE_RULES, withShare } from '../lease/modes.js';
import { grantIdSchema, isPlainGrantId } from '../lease/requests.js';
import { acquireFields, BODY, leaseJson, plainTry, problemJson, renewFields } from './schemas.js';

/** The most requests of one bulk. */
export const MAX_BULK = 1_000;

const ACTION = "must be 'acquire', 'renew' or 'release'";

const { wait: _, ...tryFields } = acquireFields;

const isAction =
  <Action extends string>(action: Action): Check<Action> =>
  (value): value is Action =>
    value === action;

const isAcquire = plainObject({ action: isAction('acquire'), lockName: isPlainLockName, ...plainTry });
const isRenewal = plainObject({
  action: isAction('renew'),
  lockName: isPlainLockName,
  grantId: isPlainGrantId,
  ttl: isPlainTtl,
});
const isRelease = plainObject({
  action: isAction('release'),
  lockName: isPlainLockName,
  grantId: isPlainGrantId,
  minHold: orAbsent(isPlainMinHold),
});

/** One request of a bulk: what a route of its own takes, and which. An acquire never waits here. */
export const bulkRequestSchema = withPlain(
  z.discriminatedUnion(
    'action',
    [
      z
        .strictObject({ action: z.literal('acquire'), lockName: lockNameSchema, ...tryFields })
        .check(...MODE_RULES)
        .transform(withShare),
      z.strictObject({
        action: z.literal('renew'),
        lockName: lockNameSchema,
        grantId: grantIdSchema,
        ...renewFields,
      }),
      z.strictObject({
        action: z.literal('release'),
        lockName: lockNameSchema,
        grantId: grantIdSchema,
        minHold: minHoldSchema.optional(),
      }),
    ],
    { error: ({ code }) => (code === 'invalid_union' ? ACTION : 'must be a JSON object') },
  ),
  (request) => {
    if (isAcquire(request)) {
      const { action, lockName, workerName, ttl, grantId } = request;
      return { action, lockName, workerName, ttl: toMilliseconds(ttl), grantId, metadata: null };
    }
    if (isRenewal(request)) return { ...request, ttl: toMilliseconds(request.ttl) };
    if (!isRelease(request)) return undefined;
    const { minHold, ...release } = request;
    return minHold === undefined ? release : { ...release, minHold: toMilliseconds(minHold) };
  },
);

export type BulkRequest = z.output<typeof bulkRequestSchema>;

const REQUESTS = { error: `must be a list of 1 to ${MAX_BULK} requests` };

/** The envelope. Its requests are judged one by one, so that a bad one does no harm to the others. */
export const bulkBody = z.strictObject(
  {
    requests: z
      .array(
        z.unknown().meta(z.toJSONSchema(bulkRequestSchema, { target: 'openapi-3.0', io: 'input' })),
        REQUESTS,
      )
      .min(1, REQUESTS)
      .max(MAX_BULK, REQUESTS),
  },
  BODY,
);

/** What became of one request: `status` is that of a route of its own. */
export const bulkAnswerJson = z.object({
  status: z.int().meta({ description: 'As of a route of its own: 200, 201, 204, 400, 409, 410, 503, …' }),
  lease: leaseJson.optional().meta({ description: 'Of an acquire that was granted and of a renewal' }),
  problem: problemJson.optional().meta({ description: 'With a status of 400 and above' }),
});

export const bulkJson = z.object({
  answers: z.array(bulkAnswerJson).meta({ description: 'One for each request, at its index' }),
});
